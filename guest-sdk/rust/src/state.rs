//! What a filter remembers of the exchanges that are open on its instance.

/// States by exchange. Exchanges are small numbers that are given out again, so an array finds them at once.
#[derive(Debug)]
pub(crate) struct States<S>(Vec<Option<S>>);

impl<S: Default> States<S> {
    /// Whether there is anything to remember, and so to drop when an exchange ends.
    pub(crate) const KEPT: bool = size_of::<S>() != 0 || std::mem::needs_drop::<S>();

    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn get(&mut self, exchange: u32) -> &mut S {
        let index = exchange as usize;
        if index >= self.0.len() {
            self.0.resize_with(index + 1, || None);
        }
        self.0[index].get_or_insert_with(S::default)
    }

    /// The state of an exchange that has ended; a new one if it was never asked for.
    pub(crate) fn take(&mut self, exchange: u32) -> S {
        self.0.get_mut(exchange as usize).and_then(Option::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exchange_has_its_own_state_until_it_ends() {
        let mut states = States::<u32>::new();
        *states.get(2) = 7;
        *states.get(0) = 1;
        assert_eq!((*states.get(2), states.take(2), *states.get(2), states.take(9)), (7, 7, 0, 0));
    }

    #[test]
    fn no_state_needs_no_end() {
        assert_eq!((States::<()>::KEPT, States::<u8>::KEPT), (false, true));
    }
}
