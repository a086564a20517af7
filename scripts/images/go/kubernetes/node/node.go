// Package node does for the pods of a kind or minikube node what the kubelet does not: it gives them a network and volumes.
//
// Upstream's node image runs kindnetd and local-path-provisioner as pods for this, with a helper pod for each volume.
// A service that is there before the first pod needs no image, and answers a claim at once.
package node

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"time"

	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// It names the API server, and is written by kubeadm; default-cni.yaml adds to what a kubelet may do.
	kubeconfig = "/etc/kubernetes/kubelet.conf"
	// What minikube has kubeadm read: it is there before the kubelet's kubeconfig is, and in no node of kind.
	minikube = "/var/tmp/minikube/kubeadm.yaml"
	// How often everything is looked at again, and so what failed is tried again.
	resync = 10 * time.Second
)

// Run serves the node until the context ends.
func Run(ctx context.Context) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	var client kubernetes.Interface
	poll("kubeadm to write "+kubeconfig, func() (err error) {
		client, err = connect()
		return err
	})

	// A kubelet may read its own node, so the network is there before default-cni.yaml is applied.
	poll("the pod range of node "+name, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return writeNetwork(node)
	})
	// kind does this itself.
	if _, err := os.Stat(minikube); err == nil {
		poll("the manifests to be applied", applyManifests)
	}
	// An informer that is refused waits ever longer, hence this first.
	poll("default-cni.yaml", func() error {
		_, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})

	factory := informers.NewSharedInformerFactory(client, resync)
	volumes := volumes{client, name}
	watch(ctx, factory.Core().V1().Nodes().Informer(), network{name}.route)
	watch(ctx, factory.Core().V1().PersistentVolumeClaims().Informer(), volumes.provision)
	watch(ctx, factory.Core().V1().PersistentVolumes().Informer(), volumes.reclaim)
	factory.Start(ctx.Done())
	<-ctx.Done()
	return nil
}

// applyManifests has kubectl do what kind does for a node: what the service may do, and the default class.
func applyManifests() error {
	output, err := exec.Command("kubectl", "--kubeconfig=/etc/kubernetes/super-admin.conf", "apply", "--filename=/kind/manifests").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func connect() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// poll tries until there is no error. It has no deadline: a node that waits to join waits for as long as it takes.
func poll(what string, try func() error) {
	var said time.Time
	for err := try(); err != nil; err = try() {
		if time.Since(said) > resync {
			log.Printf("waiting for %s: %v", what, err)
			said = time.Now()
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// watch hands every object to the function, at each change and at each resync.
func watch[T any](ctx context.Context, informer cache.SharedIndexInformer, handle func(context.Context, T) error) {
	try := func(object any) {
		if err := handle(ctx, object.(T)); err != nil && !errors.IsAlreadyExists(err) && !errors.IsNotFound(err) {
			log.Print(err)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    try,
		UpdateFunc: func(_, object any) { try(object) },
	})
	if err != nil {
		log.Fatal(err) // the informer has been stopped, and it was made just now
	}
}
