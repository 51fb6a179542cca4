//! What people want done about policies: done on the reload thread, one after the other, as changes of files are.

use std::sync::mpsc::Sender;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Event, Reloader};
use crate::deploy::{HoldError, Operation, Version};

/// Where operations go.
#[derive(Clone)]
pub struct Operations(pub(super) Sender<Event>);

/// An operation that somebody waits for.
pub(super) struct Request {
    operation: Operation,
    by: String,
    from: String,
    reply: oneshot::Sender<Result<Operated, OperateError>>,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operated {
    /// The number of the change.
    pub change: u64,
    /// The version of the policy that serves now.
    pub version: Option<Version>,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// It makes no sense as things are.
    #[error(transparent)]
    Refused(#[from] HoldError),
    /// What was wanted cannot serve.
    #[error("what served before serves on: {0}")]
    Failed(String),
    /// Nobody is there to do it.
    #[error("the gateway stops")]
    Stopping,
}

impl Operations {
    /// Has something done, and says what came of it.
    ///
    /// # Errors
    /// If nothing did.
    pub async fn operate(&self, operation: Operation, by: &str, from: &str) -> Result<Operated, OperateError> {
        let (reply, answer) = oneshot::channel();
        let request = Request { operation, by: by.to_owned(), from: from.to_owned(), reply };
        self.0.send(Event::Operate(Box::new(request))).map_err(|_| OperateError::Stopping)?;
        answer.await.unwrap_or(Err(OperateError::Stopping))
    }
}

impl Reloader {
    /// Does it and answers.
    pub(super) fn serve_request(&mut self, request: Request) {
        let Request { operation, by, from, reply } = request;
        let answer = self.operate(&operation, &by, &from);
        if let Err(error) = &answer {
            let record = self.deploy.note(operation.stage()).failed(error.to_string());
            self.deploy.record(match operation.policy() {
                Some(policy) => record.of(policy, None, None),
                None => record,
            });
        }
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }

    /// Whether a version may serve: it does already, or nothing speaks against it today.
    fn admits(&self, policy: &str, version: Version) -> Result<(), String> {
        let serving = self.store.load();
        let serves = serving.statuses.iter().any(|status| status.name == *policy && status.version == Some(version));
        let problems = if serves { Vec::new() } else { self.builder.objections(policy, version) };
        match problems.as_slice() {
            [] => Ok(()),
            _ => {
                let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
                Err(format!("version {version} of {policy:?} may not serve any more\n{}", told.join("\n")))
            }
        }
    }

    fn operate(&mut self, operation: &Operation, by: &str, from: &str) -> Result<Operated, OperateError> {
        let started = Instant::now();
        let change = self.deploy.begin(by, Some(from));
        let (wanted, before) = self.deploy.operate(operation, by)?;
        let admitted = wanted.zip(operation.policy()).map_or(Ok(()), |(version, policy)| self.admits(policy, version));
        let failed = match admitted.and_then(|()| self.rebuild(operation.policy(), wanted)) {
            Ok(built) => {
                self.go_live(built);
                None
            }
            Err(reason) => Some(reason),
        };
        if let Some(reason) = failed {
            self.deploy.undo(before);
            return Err(OperateError::Failed(reason));
        }
        self.deploy.save_holds();
        let serving = self.store.load();
        let status = serving.statuses.iter().find(|status| Some(status.name.as_str()) == operation.policy());
        let version = status.and_then(|status| status.version);
        let record = self.deploy.note(operation.stage()).took(started.elapsed());
        let is_told = matches!(operation, Operation::Promote { .. }) && status.is_some_and(|status| status.is_new);
        if !is_told {
            self.deploy.record(match status {
                Some(status) => record.of(&status.name, status.version, status.digest),
                None => record,
            });
        }
        Ok(Operated { change, version })
    }
}
