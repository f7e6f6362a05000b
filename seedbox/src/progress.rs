//! How far a command is, told to whoever shows it.

/// How far a command is; told from any thread.
pub trait Progress: Sync {
    /// The build has been looked at; its bytes are read next.
    fn begins(&self, files: u64, bytes: u64) {
        let _ = (files, bytes);
    }
    /// So many more bytes of the present stage are done.
    fn read(&self, bytes: u64) {
        let _ = bytes;
    }
    /// What is done now, for a time that nobody can tell.
    fn step(&self, text: &'static str) {
        let _ = text;
    }
    /// What is done now, and how many bytes of it there are. Stages follow each other; a stage may be named again when
    /// it begins anew.
    fn stage(&self, text: &'static str, bytes: u64) {
        let _ = bytes;
        self.step(text);
    }
}

/// Nobody watches.
impl Progress for () {}
