// minikube for Docker Engines and nothing else. Its own main package takes in the drivers of every hypervisor, and one of
// them libvirt's C headers; with the one driver that is used here it is a static program.
package main

import (
	"flag"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	"k8s.io/minikube/cmd/minikube/cmd"
	"k8s.io/minikube/cmd/minikube/cmd/flags"
	"k8s.io/minikube/pkg/libmachine/log"
	"k8s.io/minikube/pkg/minikube/localpath"
	"k8s.io/minikube/pkg/minikube/machine"
	"k8s.io/minikube/pkg/minikube/out"
	_ "k8s.io/minikube/pkg/minikube/registry/drvs/docker"
	_ "k8s.io/minikube/pkg/provision"
)

func main() {
	defer klog.Flush()
	prepareLogs()
	machine.StartDriver(flags.CommandOptions())
	out.SetOutFile(os.Stdout)
	out.SetErrFile(os.Stderr)
	cmd.Execute()
}

// prepareLogs sends what minikube logs to a file, unless its flags say otherwise. That of `start` is where `minikube logs`
// looks for it.
func prepareLogs() {
	pflag.CommandLine.ParseErrorsAllowlist.UnknownFlags = true
	pflag.CommandLine.AddGoFlagSet(flag.CommandLine)
	pflag.BoolP("help", "h", false, "") // cobra's, which parses again
	pflag.Parse()
	name := "minikube.txt"
	if pflag.Arg(0) == "start" {
		name = "lastStart.txt"
	}
	file := localpath.MakeMiniPath("logs", name)
	if err := os.MkdirAll(localpath.MakeMiniPath("logs"), 0o777); err != nil {
		klog.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o666); err != nil { // klog would add to it
		klog.Fatal(err)
	}
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "log_file": file} {
		if !pflag.CommandLine.Changed(name) {
			if err := pflag.Set(name, value); err != nil {
				klog.Fatal(err)
			}
		}
	}
	log.SetOutWriter(machineLog{})
	log.SetErrWriter(machineLog{})
}

// machineLog is where the part of minikube that makes machines logs to.
type machineLog struct{}

func (machineLog) Write(line []byte) (int, error) {
	klog.Infof("libmachine: %s", line)
	return len(line), nil
}
