//! The images that the charts name with the values that they will be installed with. What came of the same inputs before is remembered.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::install::{Charts, digest, place_chart};
use super::super::prerequisites::Prerequisites;
use super::super::{Context, helm_words};
use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::images::rendered::{self, Named};
use crate::stacks::{HelmRelease, Release};
use crate::state;

/// What a release was made of, and the images that came of it.
#[derive(Clone, Deserialize, Serialize)]
struct Rendered {
    release: String,
    inputs: String,
    images: Vec<Named>,
}

/// Every image of every part, once.
pub(super) async fn images(
    context: Context<'_>,
    ready: &Prerequisites,
    release: &Release,
    charts: &Charts,
) -> Result<Vec<Named>, Failure> {
    let Context { plan, paths, .. } = context;
    let memory = paths.rendered();
    // A memory that cannot be read only costs time.
    let before: Vec<Rendered> = state::read_json(&memory).ok().flatten().unwrap_or_default();
    let mut now = Vec::new();
    for part in &release.parts {
        let (values, set) = part.user_values(plan);
        let inputs = digest(part, charts.get(&part.name), values, set)?;
        let known = before.iter().find(|known| known.release == part.name && known.inputs == inputs);
        now.push(match known {
            Some(known) => known.clone(),
            None => Rendered {
                release: part.name.clone(),
                inputs,
                images: render(context, ready, part, charts.get(&part.name)).await?,
            },
        });
    }
    // A dry run makes nothing.
    if paths.root().exists() {
        state::write_json(&memory, &now)?;
    }
    let mut images: Vec<Named> = Vec::new();
    for named in now.into_iter().flat_map(|rendered| rendered.images) {
        if !images.iter().any(|(_, reference)| *reference == named.1) {
            images.push(named);
        }
    }
    Ok(images)
}

async fn render(
    context: Context<'_>,
    ready: &Prerequisites,
    part: &HelmRelease,
    chart: Option<&PathBuf>,
) -> Result<Vec<Named>, Failure> {
    let Context { plan, ui, .. } = context;
    let doing = "cannot make a folder for the chart's manifests";
    let folder = tempfile::tempdir().during(Kind::Chart, doing)?;
    let place = |name: &str| folder.path().join(name);
    let (values, embedded) = (place("values.json"), place("chart"));
    state::write_json(&values, &part.values)?;
    let chart = place_chart(part, chart, &embedded)?;
    let (user_values, set) = part.user_values(plan);
    let files: Vec<PathBuf> = std::iter::once(values).chain(user_values.iter().cloned()).collect();
    let manifests = ready.helm.template(&part.name, &plan.namespace, chart, &files, set, ui).await;
    let manifests = manifests.map_err(|failure| {
        let message = format!("Helm refuses the chart of {} with these values", part.name);
        let refused = Failure::new(Kind::Chart, message).code(Code::ChartRefused).evidence_lines(failure.evidence);
        helm_words::name_cause(refused, &plan.namespace).hint("see all that Helm says: `windtunnel up -v`")
    })?;
    rendered::images(&manifests)
}
