//! The kinds of fault that filters can have, as metrics, logs and the configuration name them.

/// The kinds of fault. A new one needs its case, its place in `ALL` and its name, and nothing else anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultClass {
    /// The filter crashed: a panic, an access out of bounds.
    Trap,
    /// A hook used more CPU time than it may.
    Deadline,
    /// The filter wanted more memory than it may have.
    Memory,
    /// The filter's stack overflowed.
    Stack,
    /// The hook answered with an error.
    Reported,
    /// The hook answered with something that cannot be done, such as an invalid edit.
    Answer,
    /// The instance that held the exchange's state was lost to another exchange's fault.
    StateLost,
    /// No instance could be made.
    Instantiate,
    /// The gateway refused what it was handed: a call with absurd arguments, an answer that cannot be read.
    Refused,
    /// All instances of a filter that waits were waiting.
    Busy,
    /// The store that rate limits are kept on did not answer.
    Store,
}

impl FaultClass {
    /// Every class, in the order of the cases.
    pub const ALL: [Self; 11] = [
        Self::Trap,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Reported,
        Self::Answer,
        Self::StateLost,
        Self::Instantiate,
        Self::Refused,
        Self::Busy,
        Self::Store,
    ];

    /// The stable name of the class.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Reported => "reported",
            Self::Answer => "answer",
            Self::StateLost => "state-lost",
            Self::Instantiate => "instantiate",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::Store => "store",
        }
    }
}

/// Something for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByFaultClass<T>([T; FaultClass::ALL.len()]);

impl<T: Copy> ByFaultClass<T> {
    /// The same for all.
    #[must_use]
    pub fn all(value: T) -> Self {
        Self([value; FaultClass::ALL.len()])
    }

    /// Something else for each.
    #[must_use]
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> ByFaultClass<U> {
        ByFaultClass(self.0.map(convert))
    }

    /// Another for one class.
    pub fn set(&mut self, class: FaultClass, value: T) {
        self.0[class as usize] = value;
    }

    /// That of a class.
    #[must_use]
    pub fn of(&self, class: FaultClass) -> T {
        self.0[class as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_cases() {
        assert!(FaultClass::ALL.iter().enumerate().all(|(index, class)| *class as usize == index));
    }
}
