//! [`Joined`]: numbered things of which some were found to be one.

/// Each thing leads to another that it is one with, or to itself.
#[derive(Debug)]
pub(super) struct Joined {
    to: Vec<usize>,
}

impl Joined {
    /// So many things, none of which are one.
    pub(super) fn new(count: usize) -> Self {
        Self { to: (0..count).collect() }
    }

    /// What stands for a thing and all that it is one with.
    pub(super) fn find(&mut self, mut thing: usize) -> usize {
        while self.to[thing] != thing {
            self.to[thing] = self.to[self.to[thing]];
            thing = self.to[thing];
        }
        thing
    }

    /// What stood for `from` is one with `to`, which stands for both.
    pub(super) fn join(&mut self, from: usize, to: usize) {
        let (from, to) = (self.find(from), self.find(to));
        self.to[from] = to;
    }
}
