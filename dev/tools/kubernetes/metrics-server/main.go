// metrics-server, whose OpenAPI models are looked up by the names that Kubernetes 1.35 has for them.
//
// metrics-server's own are named by Go packages (k8s.io/api/core/v1.Pod); the libraries of Kubernetes
// 1.35 ask for io.k8s.api.core.v1.Pod.
package main

import (
	"os"

	"github.com/spf13/cobra"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
	"sigs.k8s.io/metrics-server/pkg/api"
	"sigs.k8s.io/metrics-server/pkg/api/generated/openapi"
)

func main() {
	own := options.NewOptions()
	command := &cobra.Command{
		Use: "metrics-server",
		RunE: func(*cobra.Command, []string) error {
			return run(own)
		},
	}
	flags := own.Flags()
	for _, set := range flags.FlagSets {
		command.Flags().AddFlagSet(set)
	}
	os.Exit(cli.Run(command))
}

func run(own *options.Options) error {
	if errors := own.Validate(); len(errors) > 0 {
		return errors[0]
	}
	config, err := own.ServerConfig()
	if err != nil {
		return err
	}
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.Apiserver.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.Apiserver.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(genericapiserver.SetupSignalHandler())
}

func definitions(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	found := openapi.GetOpenAPIDefinitions(func(path string) spec.Ref {
		return reference(util.ToRESTFriendlyName(path))
	})
	renamed := make(map[string]common.OpenAPIDefinition, len(found))
	for name, definition := range found {
		for index, dependency := range definition.Dependencies {
			definition.Dependencies[index] = util.ToRESTFriendlyName(dependency)
		}
		renamed[util.ToRESTFriendlyName(name)] = definition
	}
	return renamed
}
