//! The words before and after the bootstrap: the plan of `--dry-run`, and the last lines of `up`.

use std::path::Path;

use serde_json::json;

use crate::images::locate::Located;
use crate::plan::{Plan, Provider};
use crate::providers::Found;
use crate::steps::prerequisites::Prerequisites;
use crate::steps::{Context, find_images};
use crate::ui::event::Event;

/// What `up` would do, and with what.
pub(super) fn plan(context: Context<'_>, ready: &Prerequisites, images: &[Located]) {
    let Plan { name, namespace, port, profile, executor, .. } = context.plan;
    let cluster = match ready.provider.found() {
        Some(Found::Absent) => "create",
        Some(Found::Stopped(_)) => "start",
        Some(Found::Running(_)) | None => "use as it is",
    };
    let provider = context.plan.cluster.provider().name();
    if context.ui.is_json() {
        context.ui.event(&Event::Result {
            result: json!({
                "name": name, "provider": provider, "cluster": cluster, "context": context.plan.context(), "namespace": namespace, "port": port,
                "dags": folder(context.plan), "stack": profile.stack, "airflow": profile.airflow.version, "bundle": context.plan.bundle,
                "images": images.iter().map(|located| json!({
                    "role": located.image.role, "reference": located.image.reference, "from": located.place.name(), "bytes": located.bytes,
                })).collect::<Vec<_>>(),
            }),
        });
        return;
    }
    let mut lines = vec![
        format!("cluster        {cluster}: {} ({provider})", context.plan.context()),
        format!("namespace      {namespace}"),
        format!(
            "release        {name}: {} (Airflow {}, {})",
            profile.stack,
            profile.airflow.version,
            executor.airflow_name()
        ),
        format!("web interface  {}", context.plan.url()),
        format!("DAGs           {}", dags_words(context)),
    ];
    lines.extend(context.plan.bundle.as_ref().map(|bundle| format!("bundle         {}", bundle.display())));
    lines.push("images".to_owned());
    lines.extend(images.iter().flat_map(find_images::lines).map(|line| format!("  {line}")));
    lines.push("\nNothing was changed.".to_owned());
    context.ui.data(&(lines.join("\n") + "\n"));
}

/// Where it is, how to log in, how to go on.
pub(super) fn ready(context: Context<'_>) {
    let plan = context.plan;
    if context.ui.is_json() {
        context.ui.event(&Event::Result {
            result: json!({
                "name": plan.name, "url": plan.url(), "user": crate::state::USER, "context": plan.context(), "namespace": plan.namespace,
                "kubeconfig": context.paths.kubeconfig(), "dags": folder(plan), "stack": plan.profile.stack,
                "airflow": plan.profile.airflow.version,
            }),
        });
        return;
    }
    let option = context.surroundings.name_option(&plan.name);
    context.ui.say(&format!(
        "\nAirflow is ready:  {}   user {}   password: windtunnel credentials{option}",
        plan.url(),
        crate::state::USER
    ));
    context.ui.say(&format!(
        "DAGs:              {:23} prove it: windtunnel smoke{option}   remove: windtunnel down{option}",
        dags_words(context)
    ));
}

/// The DAG folder, where the cluster sees it.
fn folder(plan: &Plan) -> Option<&Path> {
    plan.cluster.provider().sees_dag_folder().then_some(plan.dags.as_path())
}

/// Where the DAGs are, for a person.
fn dags_words(context: Context<'_>) -> String {
    let plan = context.plan;
    match (plan.cluster.provider(), &plan.dags_claim) {
        (Provider::Existing, Some(claim)) => format!("claim {claim}"),
        (Provider::Existing, None) => "none: --dags-claim".to_owned(),
        _ => {
            let inside = plan.dags.strip_prefix(&context.surroundings.folder);
            let folder =
                inside.map_or_else(|_| plan.dags.display().to_string(), |inside| format!("./{}", inside.display()));
            format!("{folder} (live)")
        }
    }
}
