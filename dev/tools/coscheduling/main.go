// Kubernetes' scheduler with the Coscheduling plugin of the scheduler-plugins, and no other of them.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"

	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme" // the type of the plugin's arguments
	"sigs.k8s.io/scheduler-plugins/pkg/coscheduling"
)

func main() {
	plugin := app.WithPlugin(coscheduling.Name, coscheduling.New)
	os.Exit(cli.Run(app.NewSchedulerCommand(plugin)))
}
