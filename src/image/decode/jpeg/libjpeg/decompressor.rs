//! The library's decompressor behind an interface that cannot be misused.
//!
//! Its functions report an error by calling `error_exit`, which must not come back. Here that
//! unwinds: the feature `unwinding` of mozjpeg-sys compiles the C with `-fexceptions` and
//! declares all functions and callbacks `C-unwind`, so that it is defined, and the C frames own
//! nothing: what the library allocates is in its pools, which go with the decompressor.

#![allow(unsafe_code, reason = "the library is written in C")]

use std::any::Any;
use std::marker::PhantomData;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;

use mozjpeg_sys::{
    J_COLOR_SPACE, boolean, c_int, c_long, jpeg_common_struct, jpeg_component_info,
    jpeg_create_decompress, jpeg_decompress_struct, jpeg_destroy_decompress, jpeg_error_mgr,
    jpeg_finish_decompress, jpeg_has_multiple_scans, jpeg_progress_mgr, jpeg_read_header,
    jpeg_read_scanlines, jpeg_resync_to_restart, jpeg_source_mgr, jpeg_start_decompress,
    jpeg_std_error,
};

use super::super::markers::{is_restart, next_marker};
use super::fault::{Fault, Message, Weight};
use crate::image::decode::Damage;

const TRUE: boolean = 1;
const FALSE: boolean = 0;

/// What `jpeg_read_header` answers at the end of a stream without an image.
const JPEG_HEADER_TABLES_ONLY: c_int = 2;

/// What follows the last byte of a file.
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// What the header says.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
    /// Whether the whole image is kept as coefficients, since its data comes in many scans.
    pub(super) many_scans: bool,
}

/// A channel as stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub(super) horizontal: u32,
    pub(super) vertical: u32,
    /// Blocks of 8x8 samples that cover the image.
    pub(super) columns: u32,
    pub(super) rows: u32,
}

/// The colours in which rows come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Three samples a pixel, of an image of one or three components.
    Rgb,
    /// Four samples a pixel, of an image of four components.
    Cmyk,
}

impl Output {
    pub(super) fn channels(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

/// Bounds of what reading an image may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes that the library may allocate.
    pub(super) memory: u64,
    /// The most scans that may go over the whole image.
    pub(super) scans: u64,
}

/// A file of which the header has been read.
pub(super) struct Decompressor<'a> {
    parts: NonNull<Parts<'a>>,
    bytes: PhantomData<&'a [u8]>,
}

/// What the library keeps pointers to, so that it never moves.
struct Parts<'a> {
    info: jpeg_decompress_struct,
    errors: jpeg_error_mgr,
    source: jpeg_source_mgr,
    progress: jpeg_progress_mgr,
    watch: Watch<'a>,
}

/// What the callbacks know and find.
struct Watch<'a> {
    bytes: &'a [u8],
    damage: Damage,
    /// Whether the header is behind.
    in_data: bool,
    /// Steps through the image so far, each a row of it or of its blocks.
    steps: u64,
    most_steps: u64,
    /// What was let pass.
    passed: Option<Fault>,
    /// Why the library was stopped.
    stopped: Option<Fault>,
}

/// What unwinds; why is in [`Watch::stopped`].
struct Stopped;

impl<'a> Decompressor<'a> {
    /// A decompressor that has read the header of `bytes`.
    pub(super) fn open(bytes: &'a [u8], damage: Damage) -> Result<Self, Fault> {
        let watch = Watch {
            bytes,
            damage,
            in_data: false,
            steps: 0,
            most_steps: u64::MAX,
            passed: None,
            stopped: None,
        };
        let parts = Box::into_raw(Box::new(Parts {
            // SAFETY: numbers, pointers, optional functions, and enumerations that have a 0.
            info: unsafe { mem::zeroed() },
            // SAFETY: numbers, pointers and optional functions.
            errors: unsafe { mem::zeroed() },
            source: jpeg_source_mgr {
                next_input_byte: bytes.as_ptr(),
                bytes_in_buffer: bytes.len(),
                init_source: Some(do_nothing),
                fill_input_buffer: Some(append_end),
                skip_input_data: Some(skip),
                resync_to_restart: Some(jpeg_resync_to_restart),
                term_source: Some(do_nothing),
            },
            progress: jpeg_progress_mgr {
                progress_monitor: Some(count_step),
                pass_counter: 0,
                pass_limit: 0,
                completed_passes: 0,
                total_passes: 0,
            },
            watch,
        }));
        // SAFETY: a box is never null. The pointers are those of `parts`, which live as long as
        // `info` does. `jpeg_create_decompress` keeps `err` and `client_data` and sets all else.
        let mut opened = unsafe {
            jpeg_std_error(&mut (*parts).errors);
            (*parts).errors.error_exit = Some(stop_at_error);
            (*parts).errors.emit_message = Some(weigh_warning);
            (*parts).info.common.err = &raw mut (*parts).errors;
            (*parts).info.common.client_data = parts.cast();
            Self {
                parts: NonNull::new_unchecked(parts),
                bytes: PhantomData,
            }
        };
        // SAFETY: `info` is zeroed but for what it keeps.
        opened.run(|info| unsafe { jpeg_create_decompress(info) })?;
        // SAFETY: as above; these come after `jpeg_create_decompress`, which clears them.
        unsafe {
            (*parts).info.src = &raw mut (*parts).source;
            (*parts).info.common.progress = &raw mut (*parts).progress;
        }
        // Tables may come as a stream of their own before the image's.
        // SAFETY: `info` has been created, and has a source.
        while opened.run(|info| unsafe { jpeg_read_header(info, FALSE) })?
            == JPEG_HEADER_TABLES_ONLY
        {}
        Ok(opened)
    }

    pub(super) fn frame(&self) -> Frame {
        // SAFETY: nothing else refers to `info` while no function of the library runs.
        let info = unsafe { &(*self.parts.as_ptr()).info };
        let count = usize::try_from(info.num_components).unwrap_or(0);
        // SAFETY: a header that has been read has as many components as it says.
        let components = unsafe { std::slice::from_raw_parts(info.comp_info, count) };
        Frame {
            width: info.image_width,
            height: info.image_height,
            components: components.iter().map(Component::of).collect(),
            // SAFETY: the header has been read.
            many_scans: unsafe { jpeg_has_multiple_scans(info) } != FALSE,
        }
    }

    /// Calls `take` with each row, from the top, and says what damage was let pass.
    pub(super) fn rows(
        mut self,
        output: Output,
        limits: Limits,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<Fault>, Fault> {
        let Frame { width, height, .. } = self.frame();
        self.start(output, limits)?;
        let mut row = vec![0; width as usize * output.channels()];
        for _ in 0..height {
            self.read_row(&mut row)?;
            take(&row);
        }
        // SAFETY: all rows have been read.
        self.run(|info| unsafe { jpeg_finish_decompress(info) })?;
        // SAFETY: as in `frame`.
        Ok(unsafe { (*self.parts.as_ptr()).watch.passed })
    }

    /// Reads all scans where there are many.
    fn start(&mut self, output: Output, limits: Limits) -> Result<(), Fault> {
        let parts = self.parts.as_ptr();
        let Frame {
            height, components, ..
        } = self.frame();
        let block_rows = components.iter().map(|component| component.rows).max();
        // The library takes a step for each row of blocks and for each scan's header, then one for
        // each row of pixels.
        let in_a_scan = 1 + u64::from(block_rows.unwrap_or(0));
        // SAFETY: as in `frame`; `mem` is that of the decompressor that was created.
        unsafe {
            (*parts).watch.in_data = true;
            (*parts).watch.most_steps = limits
                .scans
                .saturating_mul(in_a_scan)
                .saturating_add(height.into());
            (*(*parts).info.common.mem).max_memory_to_use =
                c_long::try_from(limits.memory).unwrap_or(c_long::MAX);
            (*parts).info.out_color_space = match output {
                Output::Rgb => J_COLOR_SPACE::JCS_RGB,
                Output::Cmyk => J_COLOR_SPACE::JCS_CMYK,
            };
        }
        // SAFETY: the header has been read.
        self.run(|info| unsafe { jpeg_start_decompress(info) })?;
        Ok(())
    }

    fn read_row(&mut self, row: &mut [u8]) -> Result<(), Fault> {
        self.run(|info| {
            let channels = usize::try_from(info.output_components).unwrap_or(usize::MAX);
            assert!(
                (info.output_width as usize).checked_mul(channels) == Some(row.len()),
                "a row of another length"
            );
            let mut rows = [row.as_mut_ptr()];
            // SAFETY: decompression has been started; `row` has room for one row.
            unsafe { jpeg_read_scanlines(info, rows.as_mut_ptr(), 1) };
        })
    }

    /// Calls into the library. After an error no more than dropping it is allowed, which all
    /// callers do, since they own it or hand the error on.
    fn run<T>(&mut self, call: impl FnOnce(&mut jpeg_decompress_struct) -> T) -> Result<T, Fault> {
        let parts = self.parts.as_ptr();
        // SAFETY: as in `frame`; the callbacks use other parts than `info`.
        let info = unsafe { &mut (*parts).info };
        panic::catch_unwind(AssertUnwindSafe(|| call(info))).map_err(|payload| {
            // SAFETY: as in `frame`.
            let stopped = unsafe { (*parts).watch.stopped };
            stopped.unwrap_or_else(|| panic::resume_unwind(payload))
        })
    }
}

impl Drop for Decompressor<'_> {
    fn drop(&mut self) {
        let parts = self.parts.as_ptr();
        // SAFETY: `parts` came from a box, and nothing refers to it any more. What has been
        // zeroed or created may be destroyed, whatever it was doing; that calls nothing back.
        unsafe {
            jpeg_destroy_decompress(&mut (*parts).info);
            drop(Box::from_raw(parts));
        }
    }
}

impl Component {
    fn of(info: &jpeg_component_info) -> Self {
        Self {
            horizontal: info.h_samp_factor.unsigned_abs(),
            vertical: info.v_samp_factor.unsigned_abs(),
            columns: info.width_in_blocks,
            rows: info.height_in_blocks,
        }
    }
}

impl Watch<'_> {
    /// Unwinds to [`Decompressor::run`].
    fn stop(&mut self, fault: Fault) -> ! {
        self.stopped = Some(fault);
        let payload: Box<dyn Any + Send> = Box::new(Stopped);
        // Unlike `panic!` it does not call the panic hook, which would write of it.
        panic::resume_unwind(payload)
    }

    /// Stops at `fault`, or lets it pass.
    fn judge(&mut self, fault: Fault, weight: Weight, unread: usize) {
        let refused = weight == Weight::Damage && self.damage == Damage::Refuse;
        if refused || self.nothing_is_left(fault, unread) {
            self.stop(fault);
        }
        if weight != Weight::None && self.passed.is_none() {
            self.passed = Some(fault);
        }
    }

    /// Whether the data ends before there is anything to show.
    fn nothing_is_left(&self, fault: Fault, unread: usize) -> bool {
        let ends = match fault {
            Fault::End => true,
            Fault::Scans => false,
            Fault::Message(message) => {
                let rest = self.bytes.len().saturating_sub(unread);
                let next = next_marker(&self.bytes[rest..]);
                message.is_lack_of_data() && !next.is_some_and(|(marker, _)| is_restart(marker))
            }
        };
        ends && self.steps <= 1
    }
}

/// The parts that a callback's decompressor belongs to.
fn parts_of(common: &jpeg_common_struct) -> *mut Parts<'static> {
    common.client_data.cast()
}

extern "C-unwind" fn do_nothing(_: &mut jpeg_decompress_struct) {}

/// `error_exit`: the library cannot go on.
extern "C-unwind" fn stop_at_error(common: &mut jpeg_common_struct) {
    let parts = parts_of(common);
    // SAFETY: `client_data` is the decompressor's parts, of which nothing else uses `errors` or
    // `watch` while the library runs.
    unsafe {
        let message = Message::of(&(*parts).errors);
        (*parts).watch.stop(Fault::Message(message));
    }
}

/// `emit_message`: a warning, or a trace for those who study the format.
extern "C-unwind" fn weigh_warning(common: &mut jpeg_common_struct, level: c_int) {
    if level >= 0 {
        return;
    }
    let parts = parts_of(common);
    // SAFETY: as in `stop_at_error`; `source` is only read.
    unsafe {
        let message = Message::of(&(*parts).errors);
        let unread = (*parts).source.bytes_in_buffer;
        let watch = &mut (*parts).watch;
        watch.judge(
            Fault::Message(message),
            message.weight(watch.in_data),
            unread,
        );
    }
}

/// `fill_input_buffer`: the whole file has been read, and its end marker is missing.
extern "C-unwind" fn append_end(info: &mut jpeg_decompress_struct) -> boolean {
    let parts = parts_of(&info.common);
    // SAFETY: as in `stop_at_error`; the library reads `source` anew after this.
    unsafe {
        (*parts).watch.judge(Fault::End, Weight::Damage, 0);
        (*parts).source.next_input_byte = END_OF_IMAGE.as_ptr();
        (*parts).source.bytes_in_buffer = END_OF_IMAGE.len();
    }
    TRUE
}

/// `skip_input_data`: passes over a segment.
extern "C-unwind" fn skip(info: &mut jpeg_decompress_struct, count: c_long) {
    let parts = parts_of(&info.common);
    // SAFETY: as in `append_end`; the pointer moves to the end of what it points to at most.
    unsafe {
        let source = &mut (*parts).source;
        let count = usize::try_from(count)
            .unwrap_or(0)
            .min(source.bytes_in_buffer);
        source.next_input_byte = source.next_input_byte.add(count);
        source.bytes_in_buffer -= count;
    }
}

/// `progress_monitor`: called before each step.
extern "C-unwind" fn count_step(common: &mut jpeg_common_struct) {
    let parts = parts_of(common);
    // SAFETY: as in `stop_at_error`.
    let watch = unsafe { &mut (*parts).watch };
    watch.steps += 1;
    if watch.steps > watch.most_steps {
        watch.stop(Fault::Scans);
    }
}

impl Message {
    fn of(errors: &jpeg_error_mgr) -> Self {
        let [number, marker, ..] = errors.msg_parm._bindgen_data_;
        Self {
            code: errors.msg_code,
            number,
            marker: u8::try_from(marker).unwrap_or(0),
        }
    }
}
