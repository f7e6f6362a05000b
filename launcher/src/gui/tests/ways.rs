//! The ways in which every screen is shown: languages and scripts, colours, sizes, densities.

use std::sync::Arc;

use eframe::egui::{Color32, ColorImage, Context, FontData, Memory, TextureHandle, TextureOptions, Theme};
use painter::Picture;

use super::art::Pictures;
use super::layout::{faults, has_letter};
use super::*;

/// Fonts for the scripts that ours lack, as Debian has them: always the same, unlike what a system offers.
const FONTS: [(&str, &str); 2] = [
    ("WenQuanYi", "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    ("DejaVu", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
];

/// Names as long as names get, in the scripts that ours fonts lack.
const NAMES: [&str; 5] = [
    "三國群英傳：烽火連天・完全版",
    "ドラゴンの伝説：失われた王国の物語",
    "왕국의 수호자: 잃어버린 유산",
    "حضارات الشرق القديم",
    "ציוויליזציה: שחר האימפריה",
];

/// Patch notes in five scripts.
const NOTES: &str = "# 更新重點\n- **更快**的回合,在大型地圖上尤其明顯,長時間的戰役也不再需要等待\n  - 存檔更小\n- 新しいタイルセット\n- **새로운** 지도\n- خريطة جديدة\n\nתודה ששיחקתם.";

/// What is said, and in which script what others wrote is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tongue {
    English,
    German,
    Pseudo,
    /// German, with games and studios from elsewhere.
    Foreign,
}

impl Tongue {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Pseudo => "pseudo",
            Self::Foreign => "cjk",
        }
    }

    pub(super) fn language(self) -> Language {
        match self {
            Self::English => Language::English,
            Self::German | Self::Foreign => Language::German,
            Self::Pseudo => Language::Pseudo,
        }
    }
}

/// One way to show a screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Way {
    pub(super) tongue: Tongue,
    pub(super) theme: Theme,
    /// In points.
    pub(super) size: [f32; 2],
    pub(super) scale: f32,
}

impl Way {
    pub(super) fn name(&self) -> String {
        let theme = if self.theme == Theme::Dark { "dark" } else { "light" };
        format!("{}-{theme}-{}x-{}", self.tongue.name(), self.scale, self.size[0])
    }
}

/// Every way in this tongue.
pub(super) fn ways(tongue: Tongue) -> Vec<Way> {
    let mut ways = Vec::new();
    for size in [[1280.0, 800.0], [800.0, 600.0]] {
        for theme in [Theme::Dark, Theme::Light] {
            ways.extend([1.0, 2.0].map(|scale| Way { tongue, theme, size, scale }));
        }
    }
    ways
}

/// A window that shows one stage after the other, the same way: its letters are drawn once.
pub(super) struct Seer {
    pub(super) way: Way,
    pub(super) harness: Harness<'static, Stage>,
    textures: Textures,
    banner: TextureHandle,
    pictures: Pictures,
}

impl Seer {
    pub(super) fn new(way: Way) -> Self {
        let setup = if way.tongue == Tongue::Foreign { with_all_scripts } else { theme::install };
        let textures = Textures::default();
        let first = stage(View::default());
        let harness = built(first, way.size, way.scale, way.theme, textures.clone(), setup);
        let options = TextureOptions::LINEAR;
        let banner = harness.ctx.load_texture("banner", maples(), options);
        Self { way, harness, textures, banner, pictures: Pictures::new() }
    }

    /// Brings a stage into its state.
    pub(super) fn show(&mut self, mut stage: Stage) {
        stage.texts = Texts::new(self.way.tongue.language());
        if self.way.tongue == Tongue::Foreign {
            foreign(&mut stage);
        }
        if let Some((art, _)) = &mut stage.view.guise.art {
            *art = self.banner.id();
        }
        // Nothing is left of the stage before.
        self.harness.ctx.memory_mut(|memory| {
            let options = memory.options.clone();
            *memory = Memory::default();
            memory.options = options;
        });
        *self.harness.state_mut() = stage;
        self.harness.remove_cursor();
        self.pictures.run(&mut self.harness);
        for (step, key) in self.harness.state().steps.clone() {
            let label = self.harness.state().texts.say(key);
            let node = self.harness.get_all_by_label(&label).next().unwrap();
            match step {
                Step::Press => node.click(),
                Step::ScrollTo => node.scroll_to_me(),
            }
            self.harness.run();
        }
        self.harness.state_mut().actions.clear();
        self.harness.remove_cursor();
        self.pictures.run(&mut self.harness);
    }

    /// What is wrong with it, each in a line.
    pub(super) fn faults(&mut self) -> Vec<String> {
        let is_scrolled = !self.harness.state().steps.is_empty();
        faults(&mut self.harness, is_scrolled)
    }

    /// Whether letters are shown that neither of the launcher's languages has.
    pub(super) fn has_other_scripts(&self) -> bool {
        has_letter(&self.harness, |letter| {
            ('\u{590}'..'\u{f000}').contains(&letter) && letter.is_alphabetic()
        })
    }

    /// What it looks like.
    pub(super) fn picture(&self) -> Picture {
        Picture::of(&self.harness, &self.textures)
    }
}

/// A studio's picture: leaves on an evening sky.
fn maples() -> ColorImage {
    let [width, height] = [450, 150];
    let pixels = (0..width * height).map(|at| {
        let (x, y) = (at % width, at / width);
        let leaf = (x / 6 + y / 6) % 9 == 0 && (x / 30) % 3 == 1;
        let part = |most: usize, of: usize| u8::try_from(most * of / height).unwrap();
        if leaf {
            Color32::from_rgb(214, 92, 40)
        } else {
            Color32::from_rgb(part(150, y), 40 + part(40, y), 90)
        }
    });
    ColorImage::new([width, height], pixels.collect())
}

/// Whether this machine has the fonts. In CI it must.
pub(super) fn has_all_scripts() -> bool {
    let has = FONTS.iter().all(|(_, file)| std::path::Path::new(file).exists());
    let must = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(has || !must, "the fonts of fonts-wqy-microhei and fonts-dejavu-core are needed");
    if !has {
        eprintln!("left out: other scripts (fonts-wqy-microhei and fonts-dejavu-core are not here)");
    }
    has
}

fn with_all_scripts(ctx: &Context) {
    theme::install(ctx);
    let mut fonts = theme::fonts::definitions();
    for (name, file) in FONTS {
        let bytes = std::fs::read(file).unwrap();
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_owned(bytes)));
        fonts.families.values_mut().for_each(|family| family.push(name.to_owned()));
    }
    ctx.set_fonts(fonts);
}

/// Games, studios, folders and notes from elsewhere.
fn foreign(stage: &mut Stage) {
    let name = |key: GameKey| NAMES[(key.0 as usize + NAMES.len() - 1) % NAMES.len()].to_owned();
    let view = &mut stage.view;
    let downloads = view.downloads.iter_mut().map(|download| &mut download.game);
    for game in view.found.iter_mut().chain(&mut view.open).chain(downloads) {
        game.game.name = name(game.game.key);
        if game.game.dir.is_some() {
            game.game.dir = Some("/home/玩家/ゲーム/내 게임/三國群英傳 烽火連天".into());
        }
        game.left.iter_mut().for_each(|left| *left = format!("我的地圖/{left}"));
    }
    if let Some(preview) = &mut view.preview {
        preview.folder = "/home/玩家/ゲーム/내 게임/三國群英傳 烽火連天".into();
    }
    if let Some(offer) = view.offer.as_mut().filter(|offer| !offer.notes.is_empty()) {
        offer.notes = NOTES.into();
    }
    if let Some(crate::shell::versions::Listed::Known(list)) =
        view.versions.as_mut().map(|versions| &mut versions.listed)
    {
        let told = list.releases.iter_mut().filter(|release| !release.notes.is_empty());
        told.for_each(|release| release.notes = NOTES.into());
        list.channels.iter_mut().filter(|channel| channel.name == "beta").for_each(|channel| {
            channel.name = "測試版".into();
        });
    }
    if view.guise.art.is_some() {
        view.guise.name = "楓葉遊戲工作室".into();
    }
    if !stage.state.query.is_empty() {
        stage.state.query = "三國".into();
    }
}
