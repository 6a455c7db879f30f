//! Calls of the host that JavaScript has not answered yet.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::deadline::Budget;
use crate::failure::Failure;

/// All calls in flight.
#[derive(Default)]
pub(crate) struct Calls {
    open: RefCell<Vec<Rc<Call>>>,
}

/// One call.
pub(crate) struct Call {
    budget: Budget,
    answer: RefCell<Option<Result<String, Failure>>>,
    waker: Cell<Option<Waker>>,
}

impl Call {
    /// Answers it; a later answer has no effect.
    pub(crate) fn settle(&self, answer: Result<String, Failure>) {
        self.answer.borrow_mut().get_or_insert(answer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Waits for the answer.
    pub(crate) async fn answer(&self) -> Result<String, Failure> {
        poll_fn(|context| match self.answer.borrow_mut().take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                self.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

/// Takes a call off the list, also when the host gives it up.
pub(crate) struct Open<'calls> {
    calls: &'calls Calls,
    pub(crate) call: Rc<Call>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.calls.open.borrow_mut().retain(|call| !Rc::ptr_eq(call, &self.call));
    }
}

impl Calls {
    /// Begins one.
    pub(crate) fn open(&self, budget: Budget) -> Open<'_> {
        let call = Rc::new(Call { budget, answer: RefCell::default(), waker: Cell::default() });
        self.open.borrow_mut().push(call.clone());
        Open { calls: self, call }
    }

    /// What may be used by work that belongs to one of them, nobody knows which.
    pub(crate) fn budget(&self) -> Budget {
        self.open.borrow().iter().map(|call| call.budget).max().unwrap_or(Budget::Event)
    }

    /// Ends all of them: after an interruption nobody knows whose work was lost.
    pub(crate) fn fail_all(&self, failure: &Failure) {
        for call in self.open.borrow().iter() {
            call.settle(Err(failure.clone()));
        }
    }
}
