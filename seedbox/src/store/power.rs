//! In tests the power can be cut at any step of writing; a program has none of this.

use std::io;

/// Whether writing still works.
#[derive(Clone, Debug, Default)]
pub(crate) struct Power {
    #[cfg(test)]
    steps_left: Option<std::sync::Arc<std::sync::atomic::AtomicI64>>,
}

#[cfg(not(test))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "the signatures of the tests' hook")]
impl Power {
    pub(crate) fn step(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_cut(&self) -> bool {
        false
    }
}

#[cfg(test)]
impl Power {
    pub(crate) fn with_steps_left(steps: u32) -> Power {
        Power { steps_left: Some(std::sync::Arc::new(i64::from(steps).into())) }
    }

    pub(crate) fn step(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering;
        match &self.steps_left {
            Some(left) if left.fetch_sub(1, Ordering::SeqCst) <= 0 => {
                Err(io::Error::other("the power was cut"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.steps_left.as_ref().is_some_and(|left| left.load(std::sync::atomic::Ordering::SeqCst) < 0)
    }
}
