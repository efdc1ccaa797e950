//! A file layer of SQLite that hands everything to the system's own and tells a `Disk` about it.
//!
//! Nothing is really flushed here: that a flush was asked for is what counts, and the machine is spared thousands of them.
//! Sleeps are not slept. Memory that connections share is the system's own.
#![allow(unsafe_code)] // SQLite speaks C; what each block relies on stands beside it

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use rusqlite::ffi;

use super::disk::{Call, FILES, Layer, Op};

/// Makes a layer known to SQLite under its name.
pub(super) fn register(layer: &'static Layer) -> Vfs {
    // SAFETY: no arguments, and harmless when repeated.
    unsafe { ffi::sqlite3_initialize() };
    let real = system();
    let vfs = ffi::sqlite3_vfs {
        iVersion: 2, // without the table of system calls
        pNext: null_mut(),
        zName: layer.name.as_ptr(),
        pAppData: std::ptr::from_ref(layer).cast_mut().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: None,
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(time),
        // SAFETY: `real` is a layer that SQLite handed out, valid for good.
        ..unsafe { std::ptr::read(real) }
    };
    let vfs = ffi::sqlite3_vfs { szOsFile: vfs.szOsFile + OFFSET as c_int, ..vfs };
    let vfs = Box::into_raw(Box::new(vfs));
    // SAFETY: `vfs` and the layer live for good, and every method set above keeps to SQLite's interface.
    assert_eq!(unsafe { ffi::sqlite3_vfs_register(vfs, 0) }, ffi::SQLITE_OK);
    vfs
}

/// Takes the name back. The layer stays where it is: a connection that is still open goes on using it.
pub(super) fn forget(vfs: Vfs) {
    // SAFETY: made known by `register`.
    unsafe { ffi::sqlite3_vfs_unregister(vfs) };
}

/// What stands before the system's own file in the memory that SQLite sets aside for one.
#[repr(C, align(8))]
struct Opened {
    base: ffi::sqlite3_file,
    layer: &'static Layer,
    /// Its number in [`FILES`].
    file: Option<usize>,
}

const OFFSET: usize = size_of::<Opened>();

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2, // with shared memory, without mapped reading
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

type File = *mut ffi::sqlite3_file;
pub(super) type Vfs = *mut ffi::sqlite3_vfs;

/// Calls the system's own method with its own file.
macro_rules! real {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        let real = real_of($file);
        // SAFETY: `real` was opened by the system's layer in `open`, which set its methods; the arguments are SQLite's.
        unsafe { (*(*real).pMethods).$method.map(|method| method(real $(, $argument)*)).unwrap() }
    }};
}

/// Calls the system's own layer.
macro_rules! system {
    ($method:ident $(, $argument:expr)*) => {{
        let real = system();
        // SAFETY: SQLite's own layer with SQLite's own arguments.
        unsafe { (*real).$method.map(|method| method(real $(, $argument)*)).unwrap() }
    }};
}

/// The system's own layer.
fn system() -> Vfs {
    // SAFETY: called with no argument that could be wrong; SQLite's own layers are never freed.
    let real = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
    assert!(!real.is_null(), "SQLite has no file layer of its own");
    real
}

fn layer_of(vfs: Vfs) -> &'static Layer {
    // SAFETY: SQLite hands back the layer that `Disk::new` registered, whose data is a leaked `Layer`.
    unsafe { &*(*vfs).pAppData.cast::<Layer>() }
}

fn opened(file: File) -> &'static Opened {
    // SAFETY: a file with our methods is one that `open` wrote an `Opened` to; SQLite moves it nowhere before `close`.
    unsafe { &*file.cast::<Opened>() }
}

fn real_of(file: File) -> File {
    // SAFETY: `szOsFile` asks for `OFFSET` bytes more than the system's file needs, which lies behind ours, aligned alike.
    unsafe { file.cast::<u8>().add(OFFSET).cast() }
}

fn number(name: *const c_char) -> Option<usize> {
    if name.is_null() {
        return None;
    }
    // SAFETY: a name from SQLite ends with a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_str().ok()?;
    (1..FILES.len()).find(|at| name.ends_with(FILES[*at])).or(Some(0))
}

unsafe extern "C" fn open(vfs: Vfs, name: ffi::sqlite3_filename, file: File, flags: c_int, out: *mut c_int) -> c_int {
    let layer = layer_of(vfs);
    // SAFETY: SQLite set the memory aside; without methods it will not use it after an error.
    unsafe { (*file).pMethods = std::ptr::null() };
    if let Some(code) = layer.strikes(Call::Open) {
        return code;
    }
    let number = number(name);
    let fresh = !name.is_null() && {
        let mut there = 0;
        system!(xAccess, name, ffi::SQLITE_ACCESS_EXISTS, &mut there);
        there == 0
    };
    let code = system!(xOpen, name, real_of(file), flags, out);
    if code == ffi::SQLITE_OK {
        let ours = Opened { base: ffi::sqlite3_file { pMethods: &METHODS }, layer, file: number };
        // SAFETY: the first `OFFSET` bytes are ours to fill.
        unsafe { std::ptr::write(file.cast::<Opened>(), ours) };
        if let (Some(file), true) = (number, fresh) {
            layer.note(Op::Create { file });
        }
    }
    code
}

unsafe extern "C" fn delete(vfs: Vfs, name: *const c_char, folder: c_int) -> c_int {
    let layer = layer_of(vfs);
    if let Some(code) = layer.strikes(Call::Delete) {
        return code;
    }
    let code = system!(xDelete, name, 0);
    if let (Some(file), ffi::SQLITE_OK) = (number(name), code) {
        layer.note(Op::Delete { file, synced: folder != 0 });
    }
    code
}

unsafe extern "C" fn access(vfs: Vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    layer_of(vfs).strikes(Call::Access).unwrap_or_else(|| system!(xAccess, name, flags, out))
}

unsafe extern "C" fn full_path(_: Vfs, name: *const c_char, length: c_int, out: *mut c_char) -> c_int {
    system!(xFullPathname, name, length, out)
}

unsafe extern "C" fn randomness(_: Vfs, length: c_int, out: *mut c_char) -> c_int {
    system!(xRandomness, length, out)
}

unsafe extern "C" fn sleep(_: Vfs, span: c_int) -> c_int {
    span
}

unsafe extern "C" fn last_error(_: Vfs, length: c_int, out: *mut c_char) -> c_int {
    system!(xGetLastError, length, out)
}

unsafe extern "C" fn time(_: Vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    system!(xCurrentTimeInt64, out)
}

unsafe extern "C" fn close(file: File) -> c_int {
    real!(file, xClose)
}

unsafe extern "C" fn read(file: File, to: *mut c_void, length: c_int, at: ffi::sqlite3_int64) -> c_int {
    opened(file).layer.strikes(Call::Read).unwrap_or_else(|| real!(file, xRead, to, length, at))
}

unsafe extern "C" fn write(file: File, from: *const c_void, length: c_int, at: ffi::sqlite3_int64) -> c_int {
    let ours = opened(file);
    let failed = ours.layer.strikes(Call::Write);
    let lands = match failed {
        None => length,
        Some(ffi::SQLITE_FULL) => length / 2,
        Some(_) => 0,
    };
    if lands > 0 {
        let code = real!(file, xWrite, from, lands, at);
        if code != ffi::SQLITE_OK {
            return code;
        }
        if let Some(file) = ours.file {
            // SAFETY: SQLite's buffer holds `length` bytes.
            let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), lands as usize) }.to_vec();
            ours.layer.note(Op::Write { file, at: at as usize, bytes });
        }
    }
    failed.unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn truncate(file: File, to: ffi::sqlite3_int64) -> c_int {
    let ours = opened(file);
    if let Some(code) = ours.layer.strikes(Call::Truncate) {
        return code;
    }
    let code = real!(file, xTruncate, to);
    if let (Some(file), ffi::SQLITE_OK) = (ours.file, code) {
        ours.layer.note(Op::Truncate { file, to: to as usize });
    }
    code
}

unsafe extern "C" fn sync(file: File, _: c_int) -> c_int {
    let ours = opened(file);
    let failed = ours.layer.strikes(Call::Sync);
    if let Some(file) = ours.file {
        ours.layer.note(if failed.is_some() { Op::SyncFailed { file } } else { Op::Sync { file } });
    }
    failed.unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn size(file: File, out: *mut ffi::sqlite3_int64) -> c_int {
    opened(file).layer.strikes(Call::Size).unwrap_or_else(|| real!(file, xFileSize, out))
}

unsafe extern "C" fn lock(file: File, level: c_int) -> c_int {
    opened(file).layer.strikes(Call::Lock).unwrap_or_else(|| real!(file, xLock, level))
}

unsafe extern "C" fn unlock(file: File, level: c_int) -> c_int {
    real!(file, xUnlock, level)
}

unsafe extern "C" fn reserved(file: File, out: *mut c_int) -> c_int {
    real!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn control(file: File, what: c_int, with: *mut c_void) -> c_int {
    real!(file, xFileControl, what, with)
}

unsafe extern "C" fn sector(file: File) -> c_int {
    real!(file, xSectorSize)
}

unsafe extern "C" fn characteristics(file: File) -> c_int {
    real!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(file: File, page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int {
    opened(file).layer.strikes(Call::ShmMap).unwrap_or_else(|| real!(file, xShmMap, page, size, extend, out))
}

unsafe extern "C" fn shm_lock(file: File, from: c_int, count: c_int, flags: c_int) -> c_int {
    // Letting go cannot fail.
    let fails = flags & ffi::SQLITE_SHM_LOCK != 0;
    let struck = if fails { opened(file).layer.strikes(Call::ShmLock) } else { None };
    struck.unwrap_or_else(|| real!(file, xShmLock, from, count, flags))
}

unsafe extern "C" fn shm_barrier(file: File) {
    real!(file, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: File, delete: c_int) -> c_int {
    real!(file, xShmUnmap, delete)
}
