//! Small private files: opened only if they are plain files, made unreadable for others from their first byte, replaced
//! so that either the old or the new content is there whole. It does not know what is in them.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not opened.
pub(super) enum Refused {
    /// The system said no.
    Io(io::Error),
    /// A link, a folder, a pipe, a device.
    Kind,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a plain file for reading, with what the system knows about the opened file itself.
pub(super) fn open_plain(path: &Path) -> Result<(File, Metadata), Refused> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(Refused::Kind);
    }
    let mut options = OpenOptions::new();
    options.read(true);
    // Should it be swapped between the two looks: a link is not followed, a pipe not waited for.
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(Refused::Kind) }
}

/// Writes a new file, for its owner only, and its name to disk. Fails if there is one; leaves none behind if it fails.
pub(super) fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_folder(path));
    written.inspect_err(|_| discard(path))
}

/// Puts `bytes` in the place of the file, or changes nothing: written beside it, forced to disk, renamed over it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path);
    match fs::remove_file(&fresh) {
        // What a crash in the middle of this function left.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_private(&fresh, bytes)?;
    fs::rename(&fresh, path).inspect_err(|_| discard(&fresh))?;
    sync_folder(path)
}

/// The name under which a replacement is prepared: in the same folder, for a rename within one file system.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

/// Removes what could not be finished. If this fails too, the error that led here is the one to tell.
fn discard(path: &Path) {
    drop(fs::remove_file(path));
}

/// Forces the names in the file's folder to disk. Windows has no such call; there the rename is journaled.
fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
