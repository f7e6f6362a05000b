//! Shortcuts (`.lnk`) as the start menu has them, by Microsoft's description of their format (MS-SHLLINK).

/// The length of the header, and the class `00021401-0000-0000-C000-000000000046`.
const CLASS: [u8; 20] = [0x4c, 0, 0, 0, 1, 0x14, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// What follows: the target, a working folder, an icon, texts in UTF-16, and the target once more, as shells like it.
const FLAGS: u32 = 0x2 | 0x10 | 0x40 | 0x80 | 0x200;
/// The window as the program wants it.
const SHOW_NORMAL: u32 = 1;
/// The mark of the block at the end, and how many letters its path has, with the zeros that fill it.
const BLOCK: u32 = 0xa000_0001;
const BLOCK_LETTERS: usize = 260;
const BLOCK_LEN: u32 = 0x314;

/// A shortcut to a program, with the folder it starts in and the file of its icon.
#[must_use]
pub fn shortcut(program: &str, folder: &str, icon: &str) -> Vec<u8> {
    let mut link = CLASS.to_vec();
    numbers(&mut link, &[FLAGS, 0]);
    // Times and a length, which nobody needs.
    numbers(&mut link, &[0; 7]);
    numbers(&mut link, &[0, SHOW_NORMAL, 0, 0, 0]);
    link.extend(target(program));
    for text in [folder, icon] {
        link.extend(u16::try_from(text.encode_utf16().count()).unwrap_or(u16::MAX).to_le_bytes());
        link.extend(wide(text));
    }
    link.extend(block(program));
    numbers(&mut link, &[0]);
    link
}

fn numbers(to: &mut Vec<u8>, numbers: &[u32]) {
    to.extend(numbers.iter().copied().flat_map(u32::to_le_bytes));
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// For programs that know no UTF-16.
fn narrow(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(letter).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect()
}

/// The structure that says on which disk the target is and where, once in each alphabet.
fn target(program: &str) -> Vec<u8> {
    const HEADER: u32 = 0x24;
    /// Of a disk: its length, that it is a fixed one, its number, and a name, which is empty.
    const DISK: [u8; 17] = [0x11, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0];
    let (narrow, wide) = (narrow(program), wide(program));
    let after = |at: u32, len: usize| at + u32::try_from(len).unwrap_or_default();
    let path = after(HEADER, DISK.len());
    let rest = after(path, narrow.len() + 1);
    let wide_path = after(rest, 1);
    let wide_rest = after(wide_path, wide.len() + 2);
    let mut target = Vec::new();
    numbers(&mut target, &[after(wide_rest, 2), HEADER, 1, HEADER, path, 0, rest, wide_path, wide_rest]);
    target.extend(DISK);
    target.extend(narrow);
    target.extend([0; 2]);
    target.extend(wide);
    target.extend([0; 4]);
    target
}

fn block(program: &str) -> Vec<u8> {
    let (mut narrow, mut wide) = (narrow(program), wide(program));
    narrow.resize(BLOCK_LETTERS, 0);
    wide.resize(2 * BLOCK_LETTERS, 0);
    let mut block = Vec::new();
    numbers(&mut block, &[BLOCK_LEN, BLOCK]);
    block.extend(narrow);
    block.extend(wide);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_leads_to_what_it_names() {
        let program = r"C:\Users\Jörg\samara.exe";
        let link = shortcut(program, r"C:\Users\Jörg", r"C:\samara.ico");
        let number = |at: usize| u32::from_le_bytes(link[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!((number(0), number(20)), (0x4c, 0x2d2));
        let info = 0x4c;
        assert_eq!(&link[info + number(info + 16)..][..24], br"C:\Users\J?rg\samara.exe");
        assert_eq!(&link[info + number(info + 28)..][..48], wide(program));
        assert_eq!(link[info + number(info + 24)], 0);
        let texts = info + number(info);
        assert_eq!(&link[texts..texts + 2], &[13, 0]);
        assert_eq!(&link[texts + 2..][..26], wide(r"C:\Users\Jörg"));
        let block = texts + 2 + 26 + 2 + 26;
        assert_eq!((number(block), number(block + 4)), (0x314, 0xa000_0001));
        assert_eq!(&link[block + 8 + 260..][..48], wide(program));
        assert_eq!(link.len(), block + 0x314 + 4);
        assert_eq!(link[link.len() - 4..], [0; 4]);
    }
}
