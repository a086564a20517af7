//! Which Service leads to which component. Pure.

use super::{Shape, official};
use crate::error::Failure;
use crate::profile::{Executor, StackName};

/// The port of every PostgreSQL here.
pub(super) const DATABASE_PORT: u16 = 5432;
/// The port of every Redis here.
pub(super) const REDIS_PORT: u16 = 6379;

/// A Service that leads to a component.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The component's name, as people know it.
    pub component: &'static str,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: u16,
}

/// Every component that has a Service for clients, the web interface first.
#[must_use]
pub fn services(shape: Shape<'_>) -> Vec<Served> {
    let (component, part) = match shape.stack {
        StackName::Lite => ("api-server", "web"),
        StackName::Community => ("webserver", "web"),
        StackName::Official => (official::web(shape.generation), official::web(shape.generation)),
    };
    let mut services = vec![
        Served { component, service: shape.part(part), port: 8080 },
        Served { component: "database", service: shape.database(), port: DATABASE_PORT },
    ];
    if shape.executor == Executor::Celery {
        services.push(Served { component: "redis", service: shape.redis(), port: REDIS_PORT });
    }
    services
}

/// Name and port of the web interface's Service.
#[must_use]
pub fn service(shape: Shape<'_>) -> (String, u16) {
    let web = services(shape).swap_remove(0);
    (web.service, web.port)
}

/// The Service that leads to a port of a component.
///
/// # Errors
/// There is no such component, or it listens on another port; what there is, is named.
pub fn served(shape: Shape<'_>, component: &str, port: u16) -> Result<Served, Failure> {
    let known = services(shape);
    let names = known.iter().map(|served| format!("`{}:{}`", served.component, served.port)).collect::<Vec<_>>();
    let hint = format!("there are {}", names.join(", "));
    let Some(served) = known.into_iter().find(|served| served.component == component) else {
        return Err(Failure::usage(format!("there is no component `{component}` to forward to")).hint(hint));
    };
    if served.port == port {
        return Ok(served);
    }
    Err(Failure::usage(format!("the component `{component}` listens on port {}, not {port}", served.port)).hint(
        format!(
            "to have it on another port of this machine: `windtunnel forward start --also {port}:{component}:{}`",
            served.port
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Generation;

    fn shape(stack: StackName, executor: Executor) -> Shape<'static> {
        Shape { name: "demo", id: None, stack, generation: Generation::Two, executor }
    }

    #[test]
    fn each_stack_has_its_services() {
        let names = |stack, executor| {
            let services = services(shape(stack, executor));
            services.iter().map(|served| format!("{} {}", served.component, served.service)).collect::<Vec<_>>()
        };
        assert_eq!(names(StackName::Lite, Executor::Local), ["api-server demo-web", "database demo-database"]);
        assert_eq!(
            names(StackName::Official, Executor::Celery),
            ["webserver demo-webserver", "database demo-data-database", "redis demo-data-redis"]
        );
        assert_eq!(service(shape(StackName::Community, Executor::Kubernetes)), ("demo-web".to_owned(), 8080));
    }

    #[test]
    fn what_cannot_be_forwarded_to_is_answered_with_what_can() {
        let shape = shape(StackName::Lite, Executor::Kubernetes);
        assert_eq!(served(shape, "database", 5432).unwrap().service, "demo-database");
        let failure = served(shape, "redis", 6379).unwrap_err();
        assert_eq!(failure.message, "there is no component `redis` to forward to");
        assert_eq!(failure.hints, ["there are `api-server:8080`, `database:5432`"]);
        let failure = served(shape, "database", 5433).unwrap_err();
        assert_eq!(failure.message, "the component `database` listens on port 5432, not 5433");
        assert!(failure.hints[0].contains("--also 5433:database:5432"), "{:?}", failure.hints);
    }
}
