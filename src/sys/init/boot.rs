//! Becoming the image's init.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io::Error;
use std::os::unix::ffi::OsStrExt;

use crate::{filter, sys};

/// Where nspawn looks for an init, in its order.
const INITS: [&str; 3] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"];

/// Sets the filters in the file at `filters` and executes the image's init with these arguments.
pub fn boot(filters: &OsStr, arguments: &[OsString]) -> ! {
    let set = std::fs::read(filters).and_then(|bytes| filter::set(&bytes));
    if let Err(error) = set {
        sys::fail(125, &format!("init: cannot set the system call filters: {error}"));
    }
    let string = |text: &[u8]| CString::new(text).unwrap_or_default();
    let env: Vec<CString> = std::env::vars_os()
        .map(|(name, value)| string(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect();
    let pointers = |list: &[CString]| -> Vec<*const c_char> {
        list.iter().map(|it| it.as_ptr()).chain([std::ptr::null()]).collect()
    };
    for init in INITS {
        let argv: Vec<CString> = std::iter::once(string(init.as_bytes()))
            .chain(arguments.iter().map(|it| string(it.as_bytes())))
            .collect();
        // SAFETY: a path and two null-terminated lists of C strings, all alive.
        unsafe { sys::execve(argv[0].as_ptr(), pointers(&argv).as_ptr(), pointers(&env).as_ptr()) };
    }
    sys::fail(125, &format!("init: no init in the image: {}", Error::last_os_error()))
}
