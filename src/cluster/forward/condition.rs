//! How the forward is, said in words. Pure.

use super::Route;
use super::backends::Backends;
use super::direct::Direct;
use crate::state::{ForwardCondition, ForwardRoute};

/// The route that the next connection will take.
pub(super) fn route(backends: &Backends, direct: &Direct, only: Option<Route>) -> Option<ForwardRoute> {
    if !backends.ready() {
        return None;
    }
    match (only, direct.address.filter(|_| backends.node_port_agrees)) {
        (Some(Route::ApiServer), _) => Some(ForwardRoute::ApiServer),
        (_, Some(address)) => Some(ForwardRoute::Direct { address }),
        (Some(Route::Direct), None) => None,
        (None, None) => (direct != &Direct::default()).then_some(ForwardRoute::ApiServer),
    }
}

pub(super) fn trouble(backends: &Backends, direct: &Direct, service: &str, only: Option<Route>) -> Option<String> {
    if !backends.ready() {
        return Some(backends.missing(service));
    }
    direct.obstacle.clone().filter(|_| only == Some(Route::Direct))
}

/// Why the route is not the direct one.
pub(super) fn obstacle(backends: &Backends, direct: &Direct) -> String {
    match &direct.obstacle {
        Some(obstacle) => obstacle.clone(),
        None if backends.node_port_agrees => "not wanted".to_owned(),
        None => "the node port does not lead to the ready pods yet".to_owned(),
    }
}

/// One line for each thing that is now otherwise.
pub(super) fn changes(before: &ForwardCondition, now: &ForwardCondition, obstacle: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if before.trouble != now.trouble {
        lines.extend(now.trouble.clone());
    }
    if before.route != now.route {
        lines.extend(now.route.map(|route| match route {
            ForwardRoute::Direct { address } => format!("route: straight to the node, {address}"),
            ForwardRoute::ApiServer => {
                format!("route: through the API server ({obstacle})")
            }
        }));
    }
    if before.last_error != now.last_error {
        lines.extend(now.last_error.clone());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direct(address: Option<&str>, obstacle: Option<&str>) -> Direct {
        Direct { address: address.map(|text| text.parse().unwrap()), obstacle: obstacle.map(str::to_owned) }
    }

    #[test]
    fn without_a_ready_pod_there_is_no_route() {
        assert_eq!(route(&Backends::default(), &direct(Some("172.18.0.2:30080"), None), None), None);
        let trouble = trouble(&Backends::default(), &Direct::default(), "web", None);
        assert_eq!(trouble.unwrap(), "the API server has not answered yet");
    }

    #[test]
    fn every_change_is_one_line() {
        let calm = ForwardCondition::default();
        let waiting = ForwardCondition { trouble: Some("no pod of service web is ready".to_owned()), ..calm.clone() };
        assert_eq!(changes(&calm, &waiting, ""), ["no pod of service web is ready"]);
        assert!(changes(&waiting, &waiting, "").is_empty());
        let served = ForwardCondition { route: Some(ForwardRoute::ApiServer), connections: 7, ..calm };
        assert_eq!(changes(&waiting, &served, "refused"), ["route: through the API server (refused)"]);
    }
}
