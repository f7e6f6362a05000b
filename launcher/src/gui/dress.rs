//! Whose launcher the window is: its brand as the window, the views and the shell take it.

use eframe::egui::{ColorImage, Context, IconData, TextureHandle, TextureOptions, ViewportBuilder};

use crate::brand::{Brand, BrandError, Picture};
use crate::engine::Failure;
use crate::error::LaunchError;
use crate::gui::view::Guise;
use crate::selfupdate::place::Me;
use crate::shell::Store;
use crate::shell::deeds::Brought;

/// The brand of the package that this program came in, or was updated from; one that cannot be used is told of.
pub(super) fn brand() -> (Brand, Option<Failure>) {
    let exe = &Me::get().packaged;
    let told = |error: BrandError| Failure {
        code: error.code(),
        message: error.to_string(),
        advice: error.advice(),
    };
    match Brand::load(exe) {
        Ok(brand) => (brand, None),
        Err(error) => (Brand::default(), Some(told(error))),
    }
}

/// The window with the brand's name and icon.
pub(super) fn viewport(brand: &Brand) -> ViewportBuilder {
    let viewport = ViewportBuilder::default().with_title(&brand.name);
    match brand.icon.clone().or_else(Picture::own) {
        Some(Picture { width, height, rgba }) => viewport.with_icon(IconData { rgba, width, height }),
        None => viewport,
    }
}

/// What views are told of the brand, and what keeps its picture on the graphics card.
pub(super) struct Dress {
    pub(super) guise: Guise,
    _art: Option<TextureHandle>,
}

impl Dress {
    pub(super) fn new(ctx: &Context, brand: &Brand) -> Self {
        let art = brand.art.as_ref().and_then(|art| {
            let size = [usize::try_from(art.width).ok()?, usize::try_from(art.height).ok()?];
            let image = ColorImage::from_rgba_unmultiplied(size, &art.rgba);
            Some(ctx.load_texture("brand art", image, TextureOptions::LINEAR))
        });
        let shown = art.as_ref().map(|texture| (texture.id(), texture.size_vec2()));
        Self { guise: Guise { name: brand.name.clone(), art: shown }, _art: art }
    }
}

/// The brand's games, with a copy of their root that stays when the package goes.
///
/// # Errors
/// [`LaunchError`]: the root cannot be kept.
pub(super) fn brought(brand: &Brand, store: &Store) -> Result<Option<Brought>, LaunchError> {
    let Some(repository) = &brand.repository else { return Ok(None) };
    let root = store.keep(&repository.root.bytes, &repository.root.file)?;
    Ok(Some(Brought { repo: repository.url.to_string(), root, games: repository.games.clone() }))
}
