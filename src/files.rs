//! Files from outside, opened so that nothing is waited for and read so that nothing grows
//! without bound.
//!
//! What a path names is looked at when it is open: before that, another program may put something
//! else there.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Whether pipes are read besides regular files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pipes {
    /// Only regular files are opened.
    Refused,
    /// Pipes that this process was started with, too: `<(…)` of a shell and standard input, under
    /// the names that the system has for what is open. A pipe that lies in a folder is never
    /// waited for.
    Inherited,
}

/// Whether both paths lead to one file that is there.
#[cfg(feature = "cli")]
pub(crate) fn are_one(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Opens the file at `path` to read it.
///
/// # Errors
///
/// Errors of the system; [`ErrorKind::IsADirectory`] of a folder, [`ErrorKind::InvalidInput`] of
/// a device, a socket or a pipe that is not read, with a text that says so.
pub(crate) fn open(path: &Path, pipes: Pipes) -> io::Result<File> {
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(file)
    } else if metadata.is_dir() {
        Err(io::Error::new(
            ErrorKind::IsADirectory,
            "it is a folder, not a file",
        ))
    } else if pipes == Pipes::Inherited && is_pipe(&metadata) && is_inherited(path) {
        wait_when_read(&file)?;
        Ok(file)
    } else {
        Err(not_regular())
    }
}

/// All bytes of the file at `path`, at most so many.
///
/// # Errors
///
/// The errors of [`open`]; [`ErrorKind::FileTooLarge`] of a file that has more, of which no more is
/// read; [`ErrorKind::OutOfMemory`] where there is not as much memory.
pub(crate) fn read(path: &Path, pipes: Pipes, most: u64) -> io::Result<Vec<u8>> {
    let too_large = || {
        let problem = format!("it has more than the {most} bytes that it may have");
        io::Error::new(ErrorKind::FileTooLarge, problem)
    };
    let mut file = open(path, pipes)?;
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let length = usize::try_from(length).map_err(|_| io::Error::from(ErrorKind::OutOfMemory))?;
    bytes.try_reserve_exact(length)?;
    // The length was that of a moment: a pipe's is 0, and a file may grow.
    (&mut file).take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == most && file.read(&mut [0])? > 0 {
        return Err(too_large());
    }
    Ok(bytes)
}

/// All of the file at `path` as text.
///
/// # Errors
///
/// The errors of [`read`]; [`ErrorKind::InvalidData`] of bytes that are not UTF-8.
pub(crate) fn read_text(path: &Path, pipes: Pipes, most: u64) -> io::Result<String> {
    let bytes = read(path, pipes, most)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// Opens the file at `path` to append to it, or makes it: itself, and not what a link of this name
/// leads to.
///
/// # Errors
///
/// The errors of the system; [`ErrorKind::InvalidInput`] of a link, a folder, a device or a pipe.
#[cfg(feature = "hub")]
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let is_link = |metadata: io::Result<Metadata>| metadata.is_ok_and(|found| found.is_symlink());
    let file = match open_to_append(path) {
        Err(_) if is_link(path.symlink_metadata()) => {
            let problem = "it is a symbolic link, which is not followed";
            return Err(io::Error::new(ErrorKind::InvalidInput, problem));
        }
        file => file?,
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

#[cfg(feature = "hub")]
fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// Without a flag to this end, opening a pipe waits for whoever writes to it, and reading a
/// system's log, which counts as a file, for whatever comes next.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut options = File::options();
        // The same bits: C has them as a signed number.
        options.custom_flags(flags.bits().cast_signed());
        options.read(true).open(path)
    }
    #[cfg(not(unix))]
    {
        File::open(path)
    }
}

/// Takes back the flag that the file was opened with.
fn wait_when_read(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let flags = fcntl_getfl(file)? - OFlags::NONBLOCK;
        fcntl_setfl(file, flags)?;
    }
    #[cfg(not(unix))]
    {
        let _ = file;
    }
    Ok(())
}

fn is_pipe(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        metadata.file_type().is_fifo()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// Whether a path is a system's name for something that is open already.
fn is_inherited(path: &Path) -> bool {
    ["/dev/fd", "/proc/self/fd"]
        .iter()
        .any(|folder| path.parent() == Some(Path::new(folder)))
        || path == Path::new("/dev/stdin")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    use super::*;

    fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_pipe_in_a_folder_is_refused_without_waiting_for_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        for pipes in [Pipes::Refused, Pipes::Inherited] {
            assert_eq!(kind(open(&path, pipes)), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_pipe_that_was_open_before_is_read_where_pipes_are() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let path = Path::new(&path);
        assert_eq!(kind(open(path, Pipes::Refused)), ErrorKind::InvalidInput);
        // Written after it is opened: it is waited for.
        let slow = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            writer.write_all(b"late").unwrap();
        });
        assert_eq!(read(path, Pipes::Inherited, 4).unwrap(), b"late");
        slow.join().unwrap();
    }

    #[test]
    fn a_pipe_without_end_is_read_to_its_bound() {
        let (reader, mut writer) = io::pipe().unwrap();
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        let endless = std::thread::spawn(move || while writer.write_all(&[0; 4096]).is_ok() {});
        let path = Path::new(&path);
        let found = read(path, Pipes::Inherited, 100_000);
        assert_eq!(kind(found), ErrorKind::FileTooLarge);
        drop(reader);
        endless.join().unwrap();
    }

    #[test]
    fn devices_and_folders_are_no_files() {
        let open = |path| kind(open(Path::new(path), Pipes::Inherited));
        assert_eq!(open("/dev/zero"), ErrorKind::InvalidInput);
        assert_eq!(open("/"), ErrorKind::IsADirectory);
    }

    #[cfg(feature = "hub")]
    #[test]
    fn nothing_is_appended_to_what_a_link_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name| folder.path().join(name);
        append(&at("file")).unwrap().write_all(b"a").unwrap();
        append(&at("file")).unwrap().write_all(b"b").unwrap();
        assert_eq!(std::fs::read(at("file")).unwrap(), b"ab");
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        let pipe = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        for name in ["link", "dangling"] {
            assert_eq!(kind(append(&at(name))), ErrorKind::InvalidInput, "{name}");
        }
        // Of a pipe without a reader the system says so itself.
        assert!(append(&at("pipe")).is_err());
        assert!(!at("nothing").exists());
    }

    #[test]
    fn a_file_has_at_most_the_bytes_it_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read_text(&path, Pipes::Refused, 3).unwrap(), "abc");
        let found = read(&path, Pipes::Refused, 2);
        assert_eq!(kind(found), ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        let found = read_text(&path, Pipes::Refused, 3);
        assert_eq!(kind(found), ErrorKind::InvalidData);
    }
}
