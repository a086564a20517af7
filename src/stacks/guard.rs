//! What cannot be: a stack with an Airflow that it does not run, or an executor that it does not have.

use semver::Version;
use serde_json::{Map, Value};

use super::overrides::at;
use super::split_image;
use crate::error::Failure;
use crate::plan::Plan;
use crate::profile::{Executor, StackName};
use crate::state::Record;

/// The first official chart that refuses Airflow before 2.11 (its `templates/check-values.yaml`).
const OFFICIAL_SINCE_2_11: Version = Version::new(1, 20, 0);

/// Looks whether stack, chart, Airflow and executor go together.
///
/// # Errors
/// Usage, with the reason and what to do.
pub fn check(plan: &Plan) -> Result<(), Failure> {
    check_versions(plan)?;
    match (plan.profile.stack, plan.executor) {
        (StackName::Lite, Executor::Celery) => Err(Failure::usage("the stack `lite` does not run CeleryExecutor")
            .hint("for Celery with its workers and Redis: `--profile official --executor celery`")),
        (StackName::Community, Executor::Local) => {
            Err(Failure::usage("the community's chart does not have LocalExecutor").hint(
                "it has `--executor kubernetes` and `--executor celery`; LocalExecutor is in `--profile lite` and `--profile official`",
            ))
        }
        _ => Ok(()),
    }
}

fn check_versions(plan: &Plan) -> Result<(), Failure> {
    let airflow = &plan.profile.airflow.version;
    let chart = plan.profile.chart.as_ref().map(|chart| &chart.version);
    match plan.profile.stack {
        StackName::Lite if airflow.major != 3 => {
            Err(Failure::usage(format!("the stack `lite` runs Airflow 3, not {airflow}"))
                .hint("for Airflow 2: `--profile official-2` (2.11) or `--profile community` (2.0 to 2.10)"))
        }
        StackName::Official if is_old_for_official(airflow, chart) => Err(Failure::usage(format!(
            "Apache's chart from {OFFICIAL_SINCE_2_11} on runs Airflow 2.11 and later, not {airflow}"
        ))
        .hint("use chart 1.19.0, the last for older ones, in a profile of your own: `chart.version`")
        .hint("or the community's chart: `--profile community`")),
        StackName::Community => check_community(plan, airflow, chart),
        StackName::Lite | StackName::Official => Ok(()),
    }
}

fn is_old_for_official(airflow: &Version, chart: Option<&Version>) -> bool {
    // A chart that has Apache's as a part has versions of its own.
    *airflow < Version::new(2, 11, 0) && chart.is_none_or(|chart| *chart >= OFFICIAL_SINCE_2_11)
}

fn check_community(plan: &Plan, airflow: &Version, chart: Option<&Version>) -> Result<(), Failure> {
    if airflow.major >= 3 {
        return Err(no_airflow_3(&airflow.to_string()));
    }
    refuse_tag(split_image(&plan.profile.images.airflow).1)?;
    if chart.is_some_and(|chart| chart.major != 8) {
        return Err(Failure::usage("of the community's chart, windtunnel knows the versions 8.x")
            .hint("its last release is 8.9.0: `chart.version`"));
    }
    Ok(())
}

/// Looks whether the user's values bring an Airflow that the chart does not run: it would be installed without a word.
///
/// # Errors
/// Usage, with the reason.
pub fn check_values(plan: &Plan, under: Option<&str>, values: &Map<String, Value>) -> Result<(), Failure> {
    match plan.profile.stack {
        StackName::Community => match at(under, "airflow.image.tag", values) {
            Some(Value::String(tag)) => refuse_tag(tag),
            Some(Value::Number(tag)) => refuse_tag(&tag.to_string()),
            _ => Ok(()),
        },
        StackName::Lite | StackName::Official => Ok(()),
    }
}

/// A tag's first number is Airflow's, unless it is a year or the like.
fn refuse_tag(tag: &str) -> Result<(), Failure> {
    let major = tag.split(['.', '-']).next().and_then(|major| major.parse::<u64>().ok());
    if major.is_some_and(|major| (3..100).contains(&major)) { Err(no_airflow_3(tag)) } else { Ok(()) }
}

fn no_airflow_3(version: &str) -> Failure {
    Failure::usage(format!("the community's chart does not run Airflow {version}"))
        .evidence(
            "it starts `airflow webserver` and asks `/health`, which Airflow 3 does not have (airflow-helm/charts#918)",
        )
        .hint("for Airflow 3: `--profile official`, or `--profile lite`")
}

/// Looks whether the plan can work on what the environment was before. A database of one kind is never tried with another: the charts have
/// users, keys and migrations of their own. Nor is it tried with an older Airflow, whose schema it does not have any more.
///
/// # Errors
/// Usage, with what to do.
pub fn check_change(plan: &Plan, before: &Record) -> Result<(), Failure> {
    let (stack, airflow) = (plan.profile.stack, &plan.profile.airflow.version);
    let what = if before.stack != stack {
        format!("the environment was made with the stack `{}`, not `{stack}`", before.stack)
    } else if before.airflow.major != airflow.major {
        format!("the environment was made with Airflow {}, not {airflow}", before.airflow)
    } else if *airflow < before.airflow {
        format!("the environment's database is that of Airflow {}, which {airflow} cannot read", before.airflow)
    } else {
        return Ok(());
    };
    Err(Failure::usage(what)
        .hint("to go on without its data: `windtunnel reset data` with the same options")
        .hint("or another environment beside it: `windtunnel up --name NAME --port PORT --profile PROFILE`"))
}
