//! A scene in a window of its own, and the picture of it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use egui::{ColorImage, Context};

use super::{Options, Stage, list, scene, scenes};
use crate::gui::{clipboard, native_options, theme};

/// Motion is over and late fonts are there.
const STANDS_STILL: Duration = Duration::from_millis(900);
/// Pictures before that one, however slowly they are painted.
const PICTURES_BEFORE: u64 = 8;

/// Opens the window in the scene that `options` names, until it is closed or its picture is taken.
/// Returns the picture as a PNG if one is wanted. For a name that no scene has, the error lists those
/// there are.
pub fn run(options: &Options) -> anyhow::Result<Option<Vec<u8>>> {
    let named = options.scene.as_deref().map(|name| {
        scene(name).with_context(|| format!("there is no scene {name:?}; there are:\n{}", list()))
    });
    let scene = match named {
        Some(named) => Some(named?),
        None => scenes().next(),
    };
    let scene = scene.context("there is no scene")?;
    let [width, height] = options.size.unwrap_or(theme::WINDOW_SIZE);
    let scale = options.scale.unwrap_or(1.0);
    let size = [width * scale, height * scale];
    let mut viewport = egui::ViewportBuilder::default()
        .with_app_id(super::super::APP_ID)
        .with_title("Ropeway")
        .with_inner_size(size);
    if !options.shot {
        viewport = viewport.with_min_inner_size(theme::WINDOW_MIN);
    }
    if let Some(icon) = theme::window_icon() {
        viewport = viewport.with_icon(icon);
    }
    // egui remembers nothing from one demo to the next.
    let nowhere = tempfile::tempdir().context("no place for temporary files")?;
    let native = eframe::NativeOptions {
        viewport,
        persistence_path: Some(nowhere.path().join("window.ron")),
        ..native_options()
    };
    let (done, taken) = channel();
    let (theme, language, shot) = (options.theme, options.language, options.shot);
    let frames = options.frames;
    eframe::run_native(
        "Ropeway",
        native,
        Box::new(move |creation| {
            theme::install(&creation.egui_ctx);
            creation.egui_ctx.set_zoom_factor(scale);
            Ok(Box::new(Film {
                stage: Stage::new(scene, theme, language).still(shot),
                camera: shot.then(|| Camera::new(done)),
                watch: frames.map(Watch::new),
                title: String::new(),
            }))
        }),
    )
    .map_err(|error| anyhow::anyhow!("{error}"))
    .context("no window system answered")?;
    options.shot.then(|| developed(&taken)).transpose()
}

fn developed(taken: &Receiver<Arc<ColorImage>>) -> anyhow::Result<Vec<u8>> {
    let picture = taken
        .try_recv()
        .context("the window was closed before its picture was taken")?;
    let [width, height] = picture.size;
    let pixels: Vec<u8> = picture
        .pixels
        .iter()
        .flat_map(|pixel| pixel.to_array())
        .collect();
    let png = clipboard::encode(u32::try_from(width)?, u32::try_from(height)?, &pixels)?;
    Ok(png)
}

struct Film {
    stage: Stage,
    camera: Option<Camera>,
    watch: Option<Watch>,
    title: String,
}

/// Takes one picture when the window stands still.
struct Camera {
    done: Sender<Arc<ColorImage>>,
    pictures: u64,
    taken: Option<Receiver<Arc<ColorImage>>>,
}

impl Camera {
    fn new(done: Sender<Arc<ColorImage>>) -> Self {
        Self {
            done,
            pictures: 0,
            taken: None,
        }
    }

    /// Says whether the picture has been taken.
    fn look(&mut self, context: &Context) -> bool {
        self.pictures += 1;
        if let Some(taken) = &self.taken {
            return taken.try_recv().is_ok_and(|picture| {
                let _gone = self.done.send(picture);
                true
            });
        }
        let shown = context.input(|input| input.time);
        if self.pictures >= PICTURES_BEFORE && shown >= STANDS_STILL.as_secs_f64() {
            let (done, taken) = channel();
            self.taken = Some(taken);
            let window = context.clone();
            context.request_screenshot(move |picture| {
                let _gone = done.send(picture);
                window.request_repaint();
            });
        }
        context.request_repaint();
        false
    }
}

/// Measures how long the processor needs for a picture: layout, tessellation and painting, without the wait for
/// the screen.
struct Watch {
    wanted: usize,
    seconds: Vec<f32>,
}

impl Watch {
    /// Fonts and lists are laid out by then.
    const FIRST: usize = 30;

    fn new(wanted: usize) -> Self {
        Self {
            wanted: wanted + Self::FIRST,
            seconds: Vec::new(),
        }
    }

    /// Says whether that was the last one.
    fn look(&mut self, context: &Context, frame: &eframe::Frame) -> bool {
        if self.seconds.len() >= self.wanted {
            return false;
        }
        self.seconds.extend(frame.info().cpu_usage);
        context.request_repaint();
        if self.seconds.len() < self.wanted {
            return false;
        }
        let mut measured = self.seconds.split_off(Self::FIRST.min(self.wanted));
        measured.sort_by(f32::total_cmp);
        let at = |share: usize| {
            let index = (measured.len() * share / 100).min(measured.len().saturating_sub(1));
            measured.get(index).copied().unwrap_or_default() * 1000.0
        };
        eprintln!(
            "{} pictures: median {:.2} ms, 95 % within {:.2} ms, slowest {:.2} ms",
            measured.len(),
            at(50),
            at(95),
            at(100)
        );
        self.seconds.resize(self.wanted, 0.0);
        true
    }
}

impl eframe::App for Film {
    fn logic(&mut self, context: &Context, frame: &mut eframe::Frame) {
        self.stage.logic(context, Some(frame));
        let title = self.stage.app.title();
        if title != self.title
            && let Some(window) = frame.winit_window()
        {
            window.set_title(&title);
            self.title = title;
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.stage.ui(ui, Some(frame));
        if let Some(watch) = &mut self.watch
            && watch.look(ui.ctx(), frame)
        {
            self.stage.app.quit(ui.ctx());
        }
        if let Some(camera) = &mut self.camera
            && camera.look(ui.ctx())
        {
            self.stage.app.quit(ui.ctx());
        }
    }

    fn raw_input_hook(&mut self, _context: &Context, input: &mut egui::RawInput) {
        self.stage.raw_input(input);
        crate::gui::narrow_glyphs(input);
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
