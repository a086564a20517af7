// etcd's server. Upstream's own main package has replace directives, which a module that is depended on may not have.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
