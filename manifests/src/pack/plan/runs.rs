//! Runs of files as pieces of work: small files together, large files in parts.

/// Small files make a piece of work once they have so many bytes...
const WORK_BYTES: u64 = 4 << 20;
/// ... or are so many.
const WORK_FILES: usize = 256;

/// Part of a file, at least a byte unless the file is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) file: u32,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Runs that make similar amounts of work, in the files' order: what runs where never depends on threads. Files longer
/// than `part` are cut into parts of that length.
pub(super) fn runs(files: &[u32], len: impl Fn(u32) -> u64, part: u64) -> Vec<Vec<Run>> {
    let mut groups: Vec<Vec<Run>> = Vec::new();
    let mut sum = WORK_BYTES;
    for &file in files {
        let (len, mut start) = (len(file), 0);
        loop {
            let run = Run { file, start, end: len.min(start + part) };
            match groups.last_mut() {
                Some(group) if sum < WORK_BYTES && group.len() < WORK_FILES => group.push(run),
                _ => {
                    groups.push(vec![run]);
                    sum = 0;
                }
            }
            sum += run.end - start;
            start = run.end;
            if start >= len {
                break;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_is_in_one_run(lens in proptest::collection::vec(0u64..40 << 20, 0..40)) {
            let files: Vec<u32> = (0..).take(lens.len()).collect();
            let part = 16 << 20;
            let flat: Vec<Run> =
                runs(&files, |file| lens[file as usize], part).into_iter().flatten().collect();
            let mut at = (0u32, 0u64);
            for run in flat {
                if at.1 > 0 && at.1 == lens[at.0 as usize] || run.start == 0 && run.file != at.0 {
                    at = (at.0 + 1, 0);
                }
                prop_assert_eq!((run.file, run.start), at);
                prop_assert!(run.end - run.start <= part && (run.end > run.start || lens[run.file as usize] == 0));
                at.1 = run.end;
            }
            prop_assert!(files.is_empty() || at == (files.len() as u32 - 1, lens[files.len() - 1]));
        }
    }
}
