module dormouse.dev/hack/testcluster/pause

go 1.21
