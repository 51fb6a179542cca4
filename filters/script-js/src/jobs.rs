//! What promises have left to do: it is done before a hook's answer is taken, as nothing in a script waits for anything.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::task::{self, Poll, Waker};

use boa_engine::job::{Job, JobExecutor};
use boa_engine::{Context, JsResult};

#[derive(Default)]
pub(crate) struct Jobs(RefCell<VecDeque<Job>>);

impl Jobs {
    /// Does all that is left, and what comes of it.
    pub(crate) fn run(&self, context: &mut Context) -> JsResult<()> {
        while let Some(job) = self.next() {
            match job {
                Job::PromiseJob(job) => job.call(context).map(drop)?,
                Job::GenericJob(job) => job.call(context).map(drop)?,
                Job::AsyncJob(job) => {
                    let context = RefCell::new(&mut *context);
                    let future = pin!(job.call(&context));
                    // What is loaded is there.
                    if let Poll::Ready(done) = future.poll(&mut task::Context::from_waker(Waker::noop())) {
                        done?;
                    }
                }
                // There are no timers, and nothing that outlives what it belongs to.
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets what is left.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    fn next(&self) -> Option<Job> {
        self.0.borrow_mut().pop_front()
    }
}

impl JobExecutor for Jobs {
    fn enqueue_job(self: Rc<Self>, job: Job, _: &mut Context) {
        self.0.borrow_mut().push_back(job);
    }

    fn run_jobs(self: Rc<Self>, context: &mut Context) -> JsResult<()> {
        self.run(context)
    }
}
