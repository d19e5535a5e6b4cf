using System.Text;
using Notify.WebPush;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>A push service's refusal: the first line is the Retry-After header, the rest is the body.</summary>
internal static class RetryAfterTarget
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly Uri Endpoint = new("https://push.example.net/push/secret-token");

    public static void Run(byte[] input)
    {
        var end = Array.IndexOf(input, (byte)'\n');
        using var response = new HttpResponseMessage();

        // Headers arrive as Latin-1.
        response.Headers.TryAddWithoutValidation("Retry-After", Encoding.Latin1.GetString(end < 0 ? input : input.AsSpan(0, end)));
        var error = PushServiceError.Parse(end < 0 ? default : input.AsMemory(end + 1), Endpoint);
        ThrowUnless(error.Reason?.Contains("secret-token", StringComparison.Ordinal) != true, "A reason does not repeat the endpoint.");

        foreach (var status in new[] { 429, 503 })
        {
            var outcome = PushOutcomeMapping.Map(status, response.Headers, error, Endpoint.Host, Now);
            ThrowUnless(
                outcome is PushOutcome.RetryLater { RetryAfter: var wait } && (wait is null || (wait >= TimeSpan.Zero && wait <= TimeSpan.FromDays(30))),
                "A wait is from 0 to 30 days.");
        }
    }
}
