//! A cause that is named before it ends the wait: Kubernetes tries again, and most often that helps.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::super::verdict::Verdict;
use super::standing::Standing;
use crate::codes::Code;

/// How long it must have stood. What passes sooner is nobody's concern.
const STANDING: Duration = Duration::from_secs(3);

/// What is suspected.
#[derive(Default)]
pub(super) struct Suspected {
    standing: Standing,
    /// What has been told.
    told: BTreeSet<(Code, String)>,
}

/// Whether something stands in the way, and is new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Suspicion {
    /// Nothing does, or not for long enough.
    None,
    /// It does, and has not been told of.
    New,
    /// It does still.
    Old,
}

impl Suspected {
    /// Takes in what a look has found.
    pub(super) fn see(&mut self, found: Option<&Verdict>, time: Instant) -> Suspicion {
        let Some(found) = found.filter(|found| !is_usual(found.code)) else {
            self.standing.end();
            return Suspicion::None;
        };
        if time.duration_since(self.standing.since(found, time)) < STANDING {
            Suspicion::None
        } else if self.told.insert((found.code, found.object.clone())) {
            Suspicion::New
        } else {
            Suspicion::Old
        }
    }
}

/// Whether every new cluster goes through it: its node has a taint until its network is there, volumes come after their pods, and a program
/// is not ready while it starts.
fn is_usual(code: Code) -> bool {
    let number = code.id();
    number.starts_with("WT5") || number.starts_with("WT6") || matches!(code, Code::NodeNotReady | Code::ProbeFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: Code, object: &str) -> Verdict {
        let (object, message) = (object.to_owned(), String::new());
        Verdict { code, object, message, evidence: Vec::new(), hints: Vec::new(), terminal: false }
    }

    #[test]
    fn what_stands_is_told_once() {
        let (begin, mut suspected) = (Instant::now(), Suspected::default());
        let crash = verdict(Code::CrashLoop, "scheduler");
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(suspected.see(Some(&crash), at(0)), Suspicion::None);
        assert_eq!(suspected.see(Some(&crash), at(2)), Suspicion::None);
        assert_eq!(suspected.see(Some(&crash), at(3)), Suspicion::New);
        assert_eq!(suspected.see(Some(&crash), at(4)), Suspicion::Old);
        assert_eq!(suspected.see(None, at(5)), Suspicion::None);
        assert_eq!(suspected.see(Some(&crash), at(6)), Suspicion::None);
        assert_eq!(suspected.see(Some(&crash), at(9)), Suspicion::Old);
    }

    #[test]
    fn another_object_and_what_is_usual_begin_anew() {
        let (begin, mut suspected) = (Instant::now(), Suspected::default());
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        assert_eq!(suspected.see(Some(&verdict(Code::CrashLoop, "scheduler")), at(0)), Suspicion::None);
        assert_eq!(suspected.see(Some(&verdict(Code::CrashLoop, "triggerer")), at(4)), Suspicion::None);
        for code in [Code::UnschedulableTaint, Code::ProbeFailed] {
            assert_eq!(suspected.see(Some(&verdict(code, "pod")), at(5)), Suspicion::None);
            assert_eq!(suspected.see(Some(&verdict(code, "pod")), at(50)), Suspicion::None);
        }
    }
}
