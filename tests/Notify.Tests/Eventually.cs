namespace Notify.Tests;

/// <summary>Waits for a condition, and says what it last saw if it never comes.</summary>
public static class Eventually
{
    /// <summary>How long a test waits for what it expects.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    public static Task TrueAsync(Func<bool> condition) => GetAsync(() => Task.FromResult(condition()), seen => seen);

    public static async Task<T> GetAsync<T>(Func<Task<T>> look, Func<T, bool> condition, TimeSpan? limit = null)
    {
        using var timer = new PeriodicTimer(Interval);
        var deadline = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var seen = await look();
            if (condition(seen))
            {
                return seen;
            }

            if (TimeProvider.System.GetElapsedTime(deadline) > (limit ?? Patience))
            {
                Assert.Fail($"The condition did not come true; last seen: {(seen is System.Collections.IEnumerable many and not string ? string.Join("; ", many.Cast<object>()) : seen)}");
            }

            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }
}
