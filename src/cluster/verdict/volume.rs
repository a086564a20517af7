//! A volume claim that is not bound, with what the provisioner says.
//!
//! `WaitForFirstConsumer` and `ExternalProvisioning` are steps on the way and no causes. A refusal that repeats itself (an access mode that the
//! provisioner does not have) is terminal at once; a storage class that is missing after 3 s, because a young cluster gets its own late;
//! any other failure with the third attempt or after 20 s. A claim that has lost its volume is terminal at once.

use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use kube::ResourceExt;

use super::Verdict;
use super::view::{View, first_time, last_time, message, times};
use crate::codes::Code;

/// Seconds that a storage class may take to appear.
const CLASS_MISSING: u64 = 3;
/// Attempts of a provisioner until its failure counts, and seconds, should it try only once.
const ATTEMPTS: i32 = 3;
const LASTING: u64 = 20;

pub(super) fn judge(view: &View<'_>, pod: &Pod) -> Vec<Verdict> {
    claims(view, pod).into_iter().filter_map(|claim| judge_claim(view, claim)).collect()
}

/// The claims of a pod that are there and not bound.
pub(super) fn claims<'a>(view: &View<'a>, pod: &Pod) -> Vec<&'a PersistentVolumeClaim> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let names: Vec<&str> =
        volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str())).collect();
    let claims = view.observed.claims.iter().map(AsRef::as_ref);
    claims.filter(|claim| phase(claim) != "Bound" && names.contains(&claim.name_any().as_str())).collect()
}

fn judge_claim(view: &View<'_>, claim: &PersistentVolumeClaim) -> Option<Verdict> {
    let object = format!("volume claim `{}`", claim.name_any());
    let start_over = format!("remove the environment with its volumes: {}", view.command("down"));
    if phase(claim) == "Lost" {
        return Some(Verdict::new(Code::VolumeLost, object, "its volume is gone").hint(start_over));
    }
    let failures = view.events(&claim.metadata).filter(|event| {
        matches!(event.reason.as_deref(), Some("FailedBinding" | "ProvisioningFailed" | "VolumeMismatch"))
    });
    let last = failures.max_by_key(|event| last_time(event).map(|time| time.0))?;
    let (code, what, terminal) = classify(view, last);
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    // A cluster that gets a default class gives it to such claims as well; the event stays for an hour.
    if code == Code::NoDefaultStorageClass && class.is_some_and(|class| !class.is_empty()) {
        return None;
    }
    let verdict = Verdict::new(code, object, what)
        .evidence(message(last))
        .evidence(class.map(|class| format!("storage class: {class}")).unwrap_or_default())
        .terminal_if(terminal);
    Some(match code {
        Code::StorageClassMissing | Code::NoDefaultStorageClass => {
            // A claim keeps the class that it was made with.
            verdict
                .hint("name a storage class that the cluster has, or use a cluster with a default one")
                .hint(start_over)
        }
        _ => verdict.hint(start_over),
    })
}

fn classify(view: &View<'_>, event: &Event) -> (Code, &'static str, bool) {
    let text = message(event);
    let seconds = view.seconds_since(first_time(event).as_ref());
    let lasts = seconds >= CLASS_MISSING;
    if text.contains("storageclass") && text.contains("not found") {
        (Code::StorageClassMissing, "its storage class does not exist", lasts)
    } else if text.contains("no storage class is set") {
        (Code::NoDefaultStorageClass, "no volume fits, and the cluster has no default storage class", lasts)
    } else if text.contains("ReadWrite") || text.contains("ReadOnlyMany") || text.contains("access mode") {
        (Code::VolumeAccessMode, "its access mode is not supported by the storage class", true)
    } else {
        (Code::VolumeProvisioning, "its volume cannot be made", times(event) >= ATTEMPTS || seconds >= LASTING)
    }
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}
