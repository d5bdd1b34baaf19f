// Which helm installs the charts on the test cluster? Helm's own command, built on the client-go of the cluster.
package main

import (
	"errors"
	"log/slog"
	"os"

	helm "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
)

// As Helm's own cmd/helm does it.
func main() {
	kube.ManagedFieldsManager = "helm"
	command, err := helm.NewRootCmd(os.Stdout, os.Args[1:], helm.SetupLogging)
	if err != nil {
		slog.Error("helm cannot start", slog.Any("error", err))
		os.Exit(1)
	}
	if err := command.Execute(); err != nil {
		var told helm.CommandError
		if errors.As(err, &told) {
			os.Exit(told.ExitCode)
		}
		os.Exit(1)
	}
}
