//! Answers what the user may do: everything that no test refuses.

use serde_json::{Value, json};

/// Where the question goes.
pub(crate) const PATH: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// The review with its answer.
pub(crate) fn answer(review: &[u8], refused: &[String]) -> Value {
    let mut review: Value = serde_json::from_slice(review).unwrap();
    let asked = &review["spec"]["resourceAttributes"];
    let text = |key: &str| asked[key].as_str().unwrap_or_default();
    let below = if text("subresource").is_empty() { String::new() } else { format!("/{}", text("subresource")) };
    let right = format!("{} {}{below}", text("verb"), text("resource"));
    review["status"] = json!({"allowed": !refused.contains(&right)});
    review
}
