package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	provisioner = "windtunnel.local/folder"
	volumeRoot  = "/var/local-path-provisioner" // where upstream's node image has them

	annotationProvisioner   = "volume.kubernetes.io/storage-provisioner"
	annotationSelectedNode  = "volume.kubernetes.io/selected-node"
	annotationProvisionedBy = "pv.kubernetes.io/provisioned-by"
)

// volumes are folders of this node, one for each claim whose first pod was scheduled to it.
type volumes struct {
	client kubernetes.Interface
	node   string
}

func (v volumes) provision(ctx context.Context, claim *v1.PersistentVolumeClaim) error {
	if claim.Status.Phase != v1.ClaimPending || claim.Spec.VolumeName != "" ||
		claim.Annotations[annotationProvisioner] != provisioner || claim.Annotations[annotationSelectedNode] != v.node {
		return nil
	}
	for _, mode := range claim.Spec.AccessModes {
		if mode != v1.ReadWriteOnce && mode != v1.ReadWriteOncePod { // upstream's node image cannot either
			return v.refuse(ctx, claim, fmt.Sprintf("a folder of one node cannot be %s, only ReadWriteOnce or ReadWriteOncePod", mode))
		}
	}
	if claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == v1.PersistentVolumeBlock {
		return v.refuse(ctx, claim, "a folder cannot be a block device")
	}
	class, err := v.client.StorageV1().StorageClasses().Get(ctx, *claim.Spec.StorageClassName, metav1.GetOptions{})
	if err != nil {
		return err
	}

	name := "pvc-" + string(claim.UID)
	folder := filepath.Join(volumeRoot, name+"_"+claim.Namespace+"_"+claim.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o777); err != nil { // whoever the pod runs as: a hostPath takes no fsGroup
		return err
	}
	mode, hostPath := v1.PersistentVolumeFilesystem, v1.HostPathDirectoryOrCreate
	_, err = v.client.CoreV1().PersistentVolumes().Create(ctx, &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{annotationProvisionedBy: provisioner},
		},
		Spec: v1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			StorageClassName:              class.Name,
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			VolumeMode:                    &mode,
			MountOptions:                  class.MountOptions,
			PersistentVolumeSource: v1.PersistentVolumeSource{
				HostPath: &v1.HostPathVolumeSource{Path: folder, Type: &hostPath},
			},
			ClaimRef: &v1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{
				NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{
					{Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{v.node}},
				}}},
			}},
		},
	}, metav1.CreateOptions{})
	return err
}

// reclaim removes the folder of a volume that its claim has left, and then the volume.
func (v volumes) reclaim(ctx context.Context, volume *v1.PersistentVolume) error {
	if volume.Status.Phase != v1.VolumeReleased || volume.Spec.PersistentVolumeReclaimPolicy != v1.PersistentVolumeReclaimDelete ||
		volume.Annotations[annotationProvisionedBy] != provisioner || !v.isHere(volume) {
		return nil
	}
	if err := os.RemoveAll(volume.Spec.HostPath.Path); err != nil {
		return err
	}
	return v.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
}

func (v volumes) isHere(volume *v1.PersistentVolume) bool {
	if volume.Spec.HostPath == nil || !strings.HasPrefix(volume.Spec.HostPath.Path, volumeRoot+"/pvc-") ||
		volume.Spec.NodeAffinity == nil || volume.Spec.NodeAffinity.Required == nil {
		return false
	}
	for _, term := range volume.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, requirement := range term.MatchExpressions {
			if requirement.Key == v1.LabelHostname && slices.Contains(requirement.Values, v.node) {
				return true
			}
		}
	}
	return false
}

// refuse tells the claim's owner why there will be no volume, once.
func (v volumes) refuse(ctx context.Context, claim *v1.PersistentVolumeClaim, reason string) error {
	now := metav1.Now()
	_, err := v.client.CoreV1().Events(claim.Namespace).Create(ctx, &v1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: claim.Name + "." + string(claim.UID), Namespace: claim.Namespace},
		InvolvedObject: v1.ObjectReference{
			APIVersion: "v1", Kind: "PersistentVolumeClaim",
			Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
		},
		Type: v1.EventTypeWarning, Reason: "ProvisioningFailed", Message: reason,
		Source:         v1.EventSource{Component: provisioner, Host: v.node},
		FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	return err
}
