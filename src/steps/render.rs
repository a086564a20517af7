//! What is to be installed: the release of a plan, its charts, and what they make with the values that they will be installed with: images, and
//! pods that ask for room. What came of the same inputs before is remembered.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::install::{Charts, digest, place_chart};
use super::{Context, helm_words};
use crate::charts::{self, Sources};
use crate::cluster::requests::{self, Pods};
use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::images::Images;
use crate::images::bundle::Bundle;
use crate::images::rendered::{self, Named};
use crate::profile::Executor;
use crate::stacks::{self, Chart, HelmRelease, Release};
use crate::tools::helm::Helm;
use crate::{providers, state};

/// What is to be installed.
pub struct Rendering {
    /// The Helm releases, and what makes them complete.
    pub release: Release,
    /// Where the charts are that are not in the binary.
    pub charts: Charts,
    /// Every image of every part, once.
    pub images: Vec<Named>,
    /// The pods of every part.
    pub pods: Vec<Pods>,
}

/// What it is made of.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    /// Helm.
    pub(super) helm: &'a Helm,
    /// The images that are wanted.
    pub(super) images: &'a Images,
    /// The bundle, if there is one.
    pub(super) bundle: Option<&'a Bundle>,
}

/// What a release was made of, and what came of it.
#[derive(Clone, Deserialize, Serialize)]
struct Rendered {
    release: String,
    inputs: String,
    images: Vec<Named>,
    pods: Vec<Pods>,
}

/// Renders the charts. Where one has to be downloaded first, that is done if `may_act`, and is `None` otherwise; what came of it is kept if
/// `may_act`.
///
/// # Errors
/// A chart cannot be had, or is not the right one; or Helm refuses it with these values.
pub(super) async fn rendering(
    context: Context<'_>,
    inputs: Inputs<'_>,
    may_act: bool,
) -> Result<Option<Rendering>, Failure> {
    let Context { plan, paths, surroundings, .. } = context;
    let images = inputs.images;
    let release = stacks::release(&stacks::Inputs {
        plan,
        airflow_image: &images.airflow.reference,
        database_image: &images.database.reference,
        redis_image: images.redis.as_ref().map(|image| image.reference.as_str()),
        user: surroundings.user,
        dags: plan.cluster.provider().sees_dag_folder().then_some(providers::DAGS),
        smoke: plan.cluster.provider().sees_smoke_folder().then_some(providers::SMOKE),
    });
    let Some(charts) = provide_charts(context, inputs, &release, may_act).await? else { return Ok(None) };
    let memory = paths.rendered();
    // A memory that cannot be read only costs time.
    let before: Vec<Rendered> = state::read_json(&memory).ok().flatten().unwrap_or_default();
    let mut now = Vec::new();
    for part in &release.parts {
        let chart = charts.get(&part.name);
        let (values, set) = part.user_values(plan);
        let digest = digest(part, chart, values, set)?;
        let known = before.iter().find(|known| known.release == part.name && known.inputs == digest);
        now.push(match known {
            Some(known) => known.clone(),
            None => render(context, inputs.helm, part, chart, digest).await?,
        });
    }
    // A dry run makes nothing.
    if may_act && paths.root().exists() {
        state::write_json(&memory, &now)?;
    }
    let (mut images, mut pods) = (Vec::<Named>::new(), Vec::new());
    for rendered in now {
        for named in rendered.images {
            if !images.iter().any(|(_, reference)| *reference == named.1) {
                images.push(named);
            }
        }
        pods.extend(rendered.pods);
    }
    Ok(Some(Rendering { release, charts, images, pods }))
}

/// The charts that are not in the binary, from wherever they are; `None` where one is to be downloaded and may not be.
async fn provide_charts(
    context: Context<'_>,
    inputs: Inputs<'_>,
    release: &Release,
    may_download: bool,
) -> Result<Option<Charts>, Failure> {
    let Context { plan, surroundings, ui, .. } = context;
    let folder = Path::new(&plan.profile_origin).parent().unwrap_or(&surroundings.folder);
    let sources = Sources { folder, bundle: inputs.bundle, cache: &surroundings.cache };
    let mut charts = Charts::new();
    for part in &release.parts {
        let Chart::Named(chart) = &part.chart else { continue };
        let path = if may_download {
            charts::provide(chart, sources, inputs.helm, ui).await?
        } else {
            let Some(path) = charts::at_hand(chart, sources)? else { return Ok(None) };
            path
        };
        charts.insert(part.name.clone(), path);
    }
    Ok(Some(charts))
}

async fn render(
    context: Context<'_>,
    helm: &Helm,
    part: &HelmRelease,
    chart: Option<&PathBuf>,
    inputs: String,
) -> Result<Rendered, Failure> {
    let Context { plan, ui, .. } = context;
    let doing = "cannot make a folder for the chart's manifests";
    let folder = tempfile::tempdir().during(Kind::Chart, doing)?;
    let place = |name: &str| folder.path().join(name);
    let (values, embedded) = (place("values.json"), place("chart"));
    state::write_json(&values, &part.values)?;
    let chart = place_chart(part, chart, &embedded)?;
    let (user_values, set) = part.user_values(plan);
    let files: Vec<PathBuf> = std::iter::once(values).chain(user_values.iter().cloned()).collect();
    let manifests = helm.template(&part.name, &plan.namespace, chart, &files, set, ui).await;
    let manifests = manifests.map_err(|failure| {
        let message = format!("Helm refuses the chart of {} with these values", part.name);
        let refused = Failure::new(Kind::Chart, message).code(Code::ChartRefused).evidence_lines(failure.evidence);
        helm_words::name_cause(refused, &plan.namespace).hint("see all that Helm says: `windtunnel up -v`")
    })?;
    Ok(Rendered {
        release: part.name.clone(),
        inputs,
        images: rendered::images(&manifests)?,
        pods: requests::of_manifests(&manifests, plan.executor == Executor::Kubernetes)?,
    })
}
