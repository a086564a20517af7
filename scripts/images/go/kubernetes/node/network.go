package node

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
)

const networkFile = "/etc/cni/net.d/10-windtunnel.conflist"

// Each pod hangs on a veth pair of its own; what leaves the node's pod range carries the node's address.
const networkTemplate = `{"cniVersion": "0.4.0", "name": "windtunnel", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {
    "type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// writeNetwork gives the pods of this node their range. The kubelet reports the node ready once the file is there.
func writeNetwork(node *v1.Node) error {
	if node.Spec.PodCIDR == "" {
		return fmt.Errorf("node %s has no pod range yet", node.Name)
	}
	if err := os.MkdirAll(filepath.Dir(networkFile), 0o755); err != nil {
		return err
	}
	part := networkFile + ".new"
	if err := os.WriteFile(part, fmt.Appendf(nil, networkTemplate, node.Spec.PodCIDR), 0o644); err != nil {
		return err
	}
	return os.Rename(part, networkFile)
}

type network struct{ node string }

// route sends the pod range of every other node to that node.
func (n network) route(ctx context.Context, node *v1.Node) error {
	if node.Name == n.node || node.Spec.PodCIDR == "" {
		return nil
	}
	for _, address := range node.Status.Addresses {
		if address.Type == v1.NodeInternalIP {
			output, err := exec.CommandContext(ctx, "ip", "route", "replace", node.Spec.PodCIDR, "via", address.Address).CombinedOutput()
			if err != nil {
				return fmt.Errorf("route to node %s: %w: %s", node.Name, err, output)
			}
			return nil
		}
	}
	return nil
}
