//! What keeps a task waiting: the tasks of a DAG and Airflow's pools.

use serde::Deserialize;

use super::{Client, segment};
use crate::error::Failure;

/// A task as its DAG defines it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Task {
    /// Its id within the DAG.
    pub task_id: String,
    /// The tasks that come after it.
    #[serde(default)]
    pub downstream_task_ids: Vec<String>,
}

/// A pool, whose slots tasks take while they are queued and running.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// How many it has.
    pub slots: i64,
    /// How many nobody has taken; fewer than none where the pool was made smaller.
    pub open_slots: i64,
}

/// The tasks of a DAG.
///
/// # Errors
/// Unhealthy where Airflow does not answer or refuses.
pub async fn tasks(client: &Client, dag_id: &str) -> Result<Vec<Task>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        tasks: Vec<Task>,
    }
    let path = client.rest(&format!("/dags/{}/tasks", segment(dag_id)));
    Ok(client.get(&path).await?.accept::<Page>()?.tasks)
}

/// The pools, at most 100.
///
/// # Errors
/// As [`tasks`].
pub async fn pools(client: &Client) -> Result<Vec<Pool>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        pools: Vec<Pool>,
    }
    Ok(client.get(&client.rest("/pools?limit=100")).await?.accept::<Page>()?.pools)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    #[tokio::test]
    async fn the_pools_and_the_tasks_are_read_as_airflow_3_writes_them() {
        let pools_text = r#"{"pools":[{"name":"default_pool","slots":128,"description":"Default pool","open_slots":126,"team_name":null}],"total_entries":1}"#;
        let tasks_text = r#"{"tasks":[{"task_id":"first","trigger_rule":"all_success","retries":0.0,"downstream_task_ids":["second"]}],"total_entries":1}"#;
        let (port, _) = serve([Script::json(200, pools_text), Script::json(200, tasks_text)]).await;
        let client = Client::new(port);
        assert_eq!(
            pools(&client).await.unwrap(),
            [Pool { name: "default_pool".to_owned(), slots: 128, open_slots: 126 }]
        );
        assert_eq!(tasks(&client, "slow").await.unwrap()[0].downstream_task_ids, ["second"]);
    }
}
