"""Makes docs/overview.png, the picture in the README, from panels in figures/ (`make overview`)."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
ROWS = [
    ["fig1a", "fig2b", "fig2g"],
    ["ed3b", "ed3f", "fig2f", "ed2e"],
    ["fig3d", "fig3f", "ed8b", "ed8a"],
    ["fig4a", "ed9h", "ed6h"],
]
WIDTH, GAP = 1600, 8


def main() -> None:
    strips = []
    for names in ROWS:
        panels = [Image.open(ROOT / "figures" / f"{name}.png").convert("RGB") for name in names]
        shares = [panel.width / panel.height for panel in panels]
        height = int((WIDTH - GAP * (len(panels) - 1)) / sum(shares))
        strip, x = Image.new("RGB", (WIDTH, height), "white"), 0
        for panel, share in zip(panels, shares, strict=True):
            strip.paste(
                panel.resize((int(height * share), height), Image.Resampling.LANCZOS), (x, 0)
            )
            x += int(height * share) + GAP
        strips.append(strip)
    sheet, y = Image.new("RGB", (WIDTH, sum(s.height + GAP for s in strips) - GAP), "white"), 0
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height + GAP
    sheet.quantize(256, dither=Image.Dither.NONE).save(
        Path(__file__).with_name("overview.png"), optimize=True
    )


if __name__ == "__main__":
    main()
