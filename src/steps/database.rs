//! The metadata database of an environment, through PostgreSQL's own programs in its pod. They need no password there.
//!
//! A new content is loaded into a database beside the one in use, which is renamed when it is complete: at no moment is there half of one.

use std::time::Duration;

use crate::backup::{Content, LARGEST};
use crate::cluster::Cluster;
use crate::cluster::exec::Exec;
use crate::error::{Failure, Kind};
use crate::stacks;
use crate::state::Record;

/// The user, and the database in use.
const AIRFLOW: &str = "airflow";
/// The database that a new content is loaded into.
const LOADED: &str = "airflow_loaded";
/// The database that was in use before.
const REPLACED: &str = "airflow_replaced";
/// How long a statement may take.
const STATEMENT: Duration = Duration::from_mins(2);
/// How long the whole content may take on its way.
const TRANSFER: Duration = Duration::from_mins(30);
/// Bytes that a statement's answer may have.
const ANSWER: u64 = 64 * 1024;

/// The database's pod.
pub struct Database<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    pod: String,
    container: &'static str,
}

impl<'a> Database<'a> {
    /// The database of an environment; nothing is asked yet.
    ///
    /// # Errors
    /// A fault of windtunnel's own: every chart has one.
    pub fn of(record: &'a Record, cluster: &'a Cluster) -> Result<Self, Failure> {
        let component = stacks::component(record.into(), "database")?;
        // The one pod of a stateful set.
        let pod = format!("{}-0", component.workload.name);
        Ok(Self { cluster, namespace: &record.namespace, pod, container: component.container })
    }

    /// PostgreSQL's version as a number: `170012`.
    ///
    /// # Errors
    /// It does not run.
    pub async fn version(&self) -> Result<u32, Failure> {
        let answer = self.sql(AIRFLOW, "SHOW server_version_num").await?;
        answer.trim().parse().map_err(|_| unexpected(&answer))
    }

    /// The newest migration that Airflow has made in it (Alembic's table of that).
    ///
    /// # Errors
    /// It does not run, or Airflow has not migrated it yet.
    pub async fn schema(&self) -> Result<String, Failure> {
        Ok(self.sql(AIRFLOW, "SELECT version_num FROM alembic_version").await?.trim().to_owned())
    }

    /// How much is in it.
    ///
    /// # Errors
    /// It does not run, or Airflow has not migrated it yet.
    pub async fn content(&self) -> Result<Content, Failure> {
        let counts = ["dag_run", "connection", "variable"].map(|table| format!("(SELECT count(*) FROM {table})"));
        let answer = self.sql(AIRFLOW, &format!("SELECT {}", counts.join(", "))).await?;
        let mut numbers = answer.trim().split('|').map(str::parse::<u64>);
        match [numbers.next(), numbers.next(), numbers.next()] {
            [Some(Ok(runs)), Some(Ok(connections)), Some(Ok(variables))] => {
                Ok(Content { runs, connections, variables })
            }
            _ => Err(unexpected(&answer)),
        }
    }

    /// All of it, as `pg_dump` writes it. `on_bytes` is told how many bytes came so far.
    ///
    /// # Errors
    /// `pg_dump` fails, or the content is larger than a backup may be.
    pub async fn dump(&self, on_bytes: impl FnMut(u64)) -> Result<Vec<u8>, Failure> {
        let command = [
            "pg_dump",
            "--username",
            AIRFLOW,
            "--no-password",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            AIRFLOW,
        ];
        self.run(&command, &[], LARGEST, TRANSFER, on_bytes)
            .await
            .map_err(|failure| failure.hint("a large history can be cut first, by Airflow's own `airflow db clean`"))
    }

    /// Loads a dump into a database beside the one in use.
    ///
    /// # Errors
    /// `pg_restore` refuses it; the database in use is as it was.
    pub async fn load(&self, dump: &[u8]) -> Result<(), Failure> {
        // What an earlier attempt left that was cut short.
        self.drop_loaded().await?;
        self.sql("postgres", &format!("CREATE DATABASE {LOADED} TEMPLATE template0")).await?;
        // `head` ends by itself: the end of stdin cannot be told everywhere.
        let restore = format!(
            "head -c {} | pg_restore --username {AIRFLOW} --no-password --no-owner --no-privileges --single-transaction \
             --exit-on-error --dbname {LOADED}",
            dump.len()
        );
        let loaded = self.run(&["sh", "-c", &restore], dump, ANSWER, TRANSFER, |_| {}).await;
        loaded.map(drop).map_err(|failure| Failure {
            message: "the backup's database cannot be loaded: the one in use is as it was".to_owned(),
            evidence: std::iter::once(failure.message).chain(failure.evidence).collect(),
            ..failure
        })
    }

    /// Puts the loaded database in the place of the one in use, both or none; whoever is still connected is sent away. None of an earlier
    /// change may be left: [`Database::drop_replaced`].
    ///
    /// # Errors
    /// Somebody connects again and again; nothing has changed then.
    pub async fn swap(&self) -> Result<(), Failure> {
        self.rename(&[(AIRFLOW, REPLACED), (LOADED, AIRFLOW)]).await
    }

    /// Whether [`Database::swap`] was made and nothing after it.
    ///
    /// # Errors
    /// It does not run.
    pub async fn is_swapped(&self) -> Result<bool, Failure> {
        let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{REPLACED}'");
        Ok(self.sql("postgres", &count).await?.trim() == "1")
    }

    /// Undoes [`Database::swap`].
    ///
    /// # Errors
    /// As there.
    pub async fn swap_back(&self) -> Result<(), Failure> {
        self.rename(&[(AIRFLOW, LOADED), (REPLACED, AIRFLOW)]).await
    }

    /// Removes the database that was in use before.
    ///
    /// # Errors
    /// It does not run.
    pub async fn drop_replaced(&self) -> Result<(), Failure> {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {REPLACED} WITH (FORCE)")).await.map(drop)
    }

    /// Removes a database that was loaded and is not to be used.
    ///
    /// # Errors
    /// It does not run.
    pub async fn drop_loaded(&self) -> Result<(), Failure> {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {LOADED} WITH (FORCE)")).await.map(drop)
    }

    /// Several statements at once are one transaction.
    async fn rename(&self, names: &[(&str, &str)]) -> Result<(), Failure> {
        let leave = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{AIRFLOW}'");
        let renames = names.iter().map(|(from, to)| format!("ALTER DATABASE {from} RENAME TO {to}"));
        let statements: Vec<String> = std::iter::once(leave).chain(renames).collect();
        self.sql("postgres", &statements.join("; ")).await.map(drop)
    }

    async fn sql(&self, database: &str, statements: &str) -> Result<String, Failure> {
        let command = [
            "psql",
            "--username",
            AIRFLOW,
            "--no-password",
            "--no-psqlrc",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            database,
            "--command",
            statements,
        ];
        let answer = self.run(&command, &[], ANSWER, STATEMENT, |_| {}).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn run(
        &self,
        command: &[&str],
        input: &[u8],
        limit: u64,
        deadline: Duration,
        on_bytes: impl FnMut(u64),
    ) -> Result<Vec<u8>, Failure> {
        let Self { cluster, namespace, pod, container } = self;
        cluster.exec(Exec { namespace, pod, container, command, input, limit, deadline }, on_bytes).await
    }
}

fn unexpected(answer: &str) -> Failure {
    Failure::new(Kind::Unhealthy, "the database answers something unexpected").evidence(answer.trim())
}
