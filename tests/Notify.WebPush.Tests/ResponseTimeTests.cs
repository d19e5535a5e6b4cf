using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace Notify.WebPush.Tests;

public class ResponseTimeTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Property(MaxTest = 2000)]
    public void Any_text_is_a_wait_of_0_to_30_days_or_none(string? text) => Read(text ?? "");

    [Property(MaxTest = 2000)]
    public Property Pieces_of_dates_and_numbers_are_a_wait_of_0_to_30_days_or_none() => Prop.ForAll(
        Gen.ArrayOf(Gen.Elements("Fri", "Friday", ",", " ", "-", "+", ".", ":", "02", "31", "Jan", "Feb", "2026", "9999", "0001", "24", "60", "00:00:60", "GMT", "UTC", "é", "\0", "\t"))
            .Select(pieces => string.Concat(pieces)).ToArbitrary(),
        text => { Read(text); });

    [Property(MaxTest = 500)]
    public void Seconds_of_any_number_of_digits_are_that_wait_or_30_days(uint seconds, ulong more, byte zeros)
    {
        var most = (uint)PushOutcomeMapping.MaxRetryAfter.TotalSeconds;

        Assert.Equal(TimeSpan.FromSeconds(Math.Min(seconds, most)), Read(new string('0', zeros) + seconds));
        Assert.Equal(TimeSpan.FromSeconds(Math.Min(more, most)), Read($"{more}"));
        Assert.Equal(PushOutcomeMapping.MaxRetryAfter, Read($"9{more:D20}"));
        Assert.Null(Read($"-{seconds}"));
        Assert.Null(Read($"+{seconds}"));
        Assert.Null(Read($"{seconds}.0"));
    }

    // RFC 9110, section 5.6.7: IMF-fixdate and the two obsolete forms.
    [Property(MaxTest = 500)]
    public Property A_date_in_each_of_the_three_forms_is_the_wait_until_then() => Prop.ForAll(
        Gen.OneOf(Gen.Choose(-20 * 365 * 86_400, 20 * 365 * 86_400), Gen.Choose(-3_000_000, 3_000_000)).ToArbitrary(),
        Gen.Elements("ddd, dd MMM yyyy HH:mm:ss 'GMT'", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "asctime").ToArbitrary(),
        (seconds, form) =>
        {
            var date = Now.AddSeconds(seconds);
            var text = form == "asctime"
                ? date.ToString("ddd MMM ", CultureInfo.InvariantCulture) + $"{date.Day,2}" + date.ToString(" HH:mm:ss yyyy", CultureInfo.InvariantCulture)
                : date.ToString(form, CultureInfo.InvariantCulture);

            Assert.Equal(TimeSpan.FromSeconds(Math.Clamp(seconds, 0, PushOutcomeMapping.MaxRetryAfter.TotalSeconds)), Read(text));
        });

    private static TimeSpan? Read(string value)
    {
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("Retry-After", value);

        var outcome = PushOutcomeMapping.Map(429, response.Headers, default, "push.example.net", Now);

        var wait = Assert.IsType<PushOutcome.RetryLater>(outcome).RetryAfter;
        Assert.InRange(wait ?? TimeSpan.Zero, TimeSpan.Zero, TimeSpan.FromDays(30));
        return wait;
    }
}
