//! What a run may have done: judged by the commands that the tools were given and by what the API server was told.

use serde_json::Value;
use windtunnel::state::Record;

use super::{ID, KIND_NODE, MAKER, NAME, Provider, Run, Sequence};
use crate::api_server::Write;

impl Sequence {
    pub(super) fn check(&mut self, actor: usize, run: &Run) {
        let deletes =
            run.journal.iter().any(|line| line.starts_with("kind delete") || line.starts_with("minikube delete"));
        // With the cluster goes the release in it, before another cluster gets one.
        self.is_release_foreign &= !deletes;
        let insist = |holds: bool, what: &str| assert!(holds, "{what}\n{}", self.history);
        insist(run.code != 70, "a fault of windtunnel's own");
        insist(!run.stderr.contains("reached"), "a hostile variable reached a tool");
        self.check_tools(actor, run);
        for write in self.context.api.take_writes() {
            let what = format!("{} of {:?}, which is somebody else's: {:?}", write.method, write.address, write.before);
            insist(self.may_write(actor, &write), &what);
        }
        if deletes {
            // With a cluster that windtunnel made goes all that is in it; others are in the next one too, beside the environment.
            self.theirs.retain(|(address, _)| address.namespace.as_deref() != Some(NAME));
            self.context.api.change(|store| {
                for (_, object) in &self.theirs {
                    store.put(object.clone());
                }
            });
        }
        let same = |one: &Value, other: &Value| {
            let parts = ["/data", "/metadata/labels", "/metadata/annotations", "/metadata/uid"];
            parts.iter().all(|part| one.pointer(part) == other.pointer(part))
        };
        let is_as_it_was = self.context.api.change(|store| {
            self.theirs.iter().all(|(address, object)| store.get(address).is_some_and(|found| same(found, object)))
        });
        let insist = |holds: bool, what: &str| assert!(holds, "{what}\n{}", self.history);
        insist(is_as_it_was, "what others put into the cluster is not as it was");
        insist(Record::load(&self.paths(actor)).is_ok(), "what windtunnel remembers cannot be read");
    }

    /// Whether an object that was changed or deleted was the environment's own before.
    fn may_write(&self, actor: usize, write: &Write) -> bool {
        let Some(before) = &write.before else { return true };
        let ids = &self.actors[actor].ids;
        let labels = &before["metadata"]["labels"];
        let has_id = labels[ID].as_str().is_some_and(|id| ids.contains(id));
        // The template of a StatefulSet's claims is the one thing that no id can be added to later.
        let is_claim = write.address.resource == "persistentvolumeclaims"
            && labels[ID].is_null()
            && labels["windtunnel.dev/environment"] == NAME;
        has_id || is_claim
    }

    fn check_tools(&self, actor: usize, run: &Run) {
        let insist = |holds: bool, what: &str| assert!(holds, "{what}\n{}", self.history);
        let node = self.node();
        let own_kubeconfig = self.paths(actor).kubeconfig();
        let is_private = |kubeconfig: Option<&str>| kubeconfig == own_kubeconfig.to_str();
        let own_context = match self.provider {
            Provider::Kind => "kind-airflow-cluster",
            Provider::Minikube => NAME,
            Provider::Existing => "work",
        };
        let (mut looked, mut looked_at_maker) = (false, false);
        let kept = format!("/{}", self.context.kept());
        for line in &run.journal {
            let words = shell_words::split(line).unwrap();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                ["docker", "container", "inspect", found] => {
                    // Without a record, a windtunnel looks for a kind cluster first.
                    insist([node, KIND_NODE, MAKER].contains(&found), "another container was looked at");
                    looked |= found == node;
                    looked_at_maker |= found == MAKER;
                }
                ["docker", "container", "run", ..] => {
                    insist(value_of(&words, "--name") == Some(MAKER), "another container was made");
                }
                ["docker", "container", "kill" | "wait" | "rm", .., maker]
                | ["docker", "container", "commit", .., maker, _]
                | ["docker", "cp", .., maker] => {
                    let name = maker.split(':').next();
                    let is_maker = name == Some(MAKER) && looked_at_maker && !self.is_maker_foreign;
                    let is_node = words[1] == "cp" && name == Some(node) && !self.is_foreign;
                    insist(is_maker || is_node, "a container was acted on");
                }
                ["docker", "exec", "--interactive", MAKER, ..] | ["docker", "exec", MAKER, ..] => {
                    insist(looked_at_maker && !self.is_maker_foreign, "a container was acted on");
                }
                ["docker", "image", "rm", image] => insist(image.ends_with(&kept), "another image was removed"),
                ["docker", "network", "rm", network] => insist(network == "id-of-the-network", "a network by its name"),
                ["docker", "container", "start" | "stop", .., found] | ["docker", "exec", found, ..] => {
                    insist(found == node && looked && !self.is_foreign, "a container was acted on");
                }
                ["docker", "exec", ..] => insist(words.contains(&node) && !self.is_foreign, "a container was acted on"),
                ["kind" | "minikube", "version", ..] | ["helm", "version" | "template", ..] => {}
                ["kind", act, ..] => {
                    insist(value_of(&words, "--name") == Some(NAME), "another cluster is named");
                    insist(is_private(value_of(&words, "--kubeconfig")), "somebody else's kubeconfig");
                    insist(act == "create" || !self.is_foreign && looked_in(run), "a cluster of somebody else's");
                }
                ["minikube", act, ..] => {
                    insist(value_of(&words, "--profile") == Some(NAME), "another profile is named");
                    insist(act == "status" || !self.is_foreign && looked_in(run), "a profile of somebody else's");
                }
                ["helm", ..] => {
                    insist(value_of(&words, "--namespace") == Some(NAME), "another namespace is named");
                    insist(value_of(&words, "--kube-context") == Some(own_context), "another context");
                    insist(is_private(value_of(&words, "--kubeconfig")), "somebody else's kubeconfig");
                    insist(!self.is_foreign && !self.is_release_foreign, "a release of somebody else's");
                }
                _ => {}
            }
        }
    }
}

/// Whether the engine was asked whose a cluster is. The journal has each tool's commands in order, docker's first.
fn looked_in(run: &Run) -> bool {
    run.journal.iter().any(|line| line.starts_with("docker container inspect"))
}

fn value_of<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let position = words.iter().position(|word| *word == option)?;
    words.get(position + 1).copied()
}
