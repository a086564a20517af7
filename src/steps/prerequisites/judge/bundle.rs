//! The bundle and the chart: what is to be installed.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let bundle = facts.bundle.as_ref().map(|bundle| {
        let findings = bundle.faults.iter().map(|fault| {
            Finding::of(fault)
                .needed("a bundle that is whole, for this platform", "images and tools come from it alone")
        });
        Check { findings: findings.collect(), ..Check::passed("bundle", bundle.folder.display().to_string()) }
    });
    let chart = match &facts.pods {
        Some(Ok(pods)) => Check::passed("chart", format!("Helm takes the values, {} kinds of pods", pods.len())),
        Some(Err(failure)) => Check::found(
            "chart",
            Finding::of(failure).needed("a chart that Helm makes manifests of", "Airflow is installed by it"),
        ),
        None if facts.helm.is_err() => Check::skipped("chart", "not known without Helm"),
        None => Check::skipped("chart", "not looked at: `up` downloads it"),
    };
    bundle.into_iter().chain([chart]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::BundleSeen;
    use super::super::samples;
    use super::*;
    use crate::codes::Code;
    use crate::error::{Failure, Kind};

    #[test]
    fn all_that_is_wrong_with_a_bundle_is_told() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        assert_eq!(judge(&facts).len(), 1);
        let fault = |code| Failure::new(Kind::Image, "not as it should be").code(code);
        let faults = vec![fault(Code::BundleBroken), fault(Code::BundlePlatform)];
        facts.bundle = Some(BundleSeen { folder: "/bundle".into(), is_readable: true, faults });
        let found: Vec<_> = judge(&facts)[0].findings.iter().map(|finding| (finding.code, finding.kind)).collect();
        assert_eq!(found, [(Some(Code::BundleBroken), Kind::Image), (Some(Code::BundlePlatform), Kind::Image)]);
    }

    #[test]
    fn a_chart_that_helm_refuses_is_a_finding_and_one_that_is_not_here_is_none() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.pods = Some(Err(Failure::new(Kind::Chart, "Helm refuses the chart").code(Code::ChartRefused)));
        assert_eq!(judge(&facts)[0].findings[0].code, Some(Code::ChartRefused));
        facts.pods = None;
        assert!(judge(&facts)[0].skipped && judge(&facts)[0].findings.is_empty());
    }
}
