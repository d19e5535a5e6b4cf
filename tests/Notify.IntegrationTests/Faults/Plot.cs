using System.Globalization;
using System.Security;
using System.Text;

namespace Notify.IntegrationTests.Faults;

/// <summary>A line of a plot.</summary>
/// <param name="Name">What it shows, with the unit.</param>
/// <param name="Points">In the order of x.</param>
public sealed record PlotLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Draws measurements for docs as SVG: one panel a line, above each other, on one x axis; each from zero.</summary>
public static class Plot
{
    private const int Width = 720;
    private const int Panel = 180;
    private const int Left = 70;
    private const int Right = 20;
    private const int Top = 28;
    private const int Bottom = 40;

    /// <summary>The picture.</summary>
    /// <param name="x">What the x axis shows.</param>
    /// <param name="lines">The panels, from the top.</param>
    public static string Draw(string x, params PlotLine[] lines)
    {
        var height = (lines.Length * (Top + Panel)) + Bottom;
        var maxX = Ceiling(lines.Max(line => line.Points.Max(point => point.X)));
        var svg = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n")
            .Append("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
        foreach (var (index, line) in lines.Index())
        {
            var (top, maxY) = ((index * (Top + Panel)) + Top, Ceiling(line.Points.Max(point => point.Y)));
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"{top - 8}\" font-weight=\"bold\">{SecurityElement.Escape(line.Name)}</text>\n");
            for (var tick = 0; tick <= 4; tick++)
            {
                var y = top + Panel - (Panel * tick / 4.0);
                svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{Left} {y}H{Width - Right}\" stroke=\"#ddd\"/><text x=\"{Left - 8}\" y=\"{y + 4}\" text-anchor=\"end\">{maxY * tick / 4:0.##}</text>\n");
            }

            var points = line.Points.Select(point => string.Create(
                CultureInfo.InvariantCulture, $"{Left + (point.X / maxX * (Width - Left - Right)):0.#},{top + Panel - (point.Y / maxY * Panel):0.#}"));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline fill=\"none\" stroke=\"#1a5fb4\" stroke-width=\"2\" points=\"{string.Join(' ', points)}\"/>\n");
        }

        for (var tick = 0; tick <= 4; tick++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left + ((Width - Left - Right) * tick / 4.0)}\" y=\"{height - Bottom + 16}\" text-anchor=\"middle\">{maxX * tick / 4:0.##}</text>\n");
        }

        return svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{height - 6}\" text-anchor=\"middle\">{SecurityElement.Escape(x)}</text>\n</svg>\n").ToString();
    }

    // The next number whose quarters are short.
    private static double Ceiling(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 1e-9))));
        return power * ((double[])[1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10]).First(step => step * power >= value * 0.999);
    }
}
