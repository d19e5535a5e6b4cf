using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Notify.Store;

namespace Notify.Operations;

/// <summary>Whether the database can be connected to, asked once a second at most: the question is open to everybody, and each takes a connection.</summary>
internal sealed class StoreHealthCheck(IDbContextFactory<NotifyDbContext> store, TimeProvider time) : IHealthCheck
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(1);

    // One that hangs would take as long as its driver and all of its tries.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task<bool>? _answer;
    private long _answeredAt;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var answer = AnswerAsync();
        try
        {
            return await answer.WaitAsync(Patience, time, cancellationToken)
                ? HealthCheckResult.Healthy() : new HealthCheckResult(context.Registration.FailureStatus, "The database cannot be connected to.");
        }
        catch (TimeoutException)
        {
            // The next who asks need not wait for this one to end.
            _ = Interlocked.CompareExchange(ref _answer, null, answer);
            return new HealthCheckResult(context.Registration.FailureStatus, "The database does not answer.");
        }
    }

    private Task<bool> AnswerAsync()
    {
        lock (_lock)
        {
            return _answer is { } known && (!known.IsCompleted || time.GetElapsedTime(Volatile.Read(ref _answeredAt)) < GoodFor) ? known : _answer = Task.Run(AskAsync);
        }
    }

    private async Task<bool> AskAsync()
    {
        using var patience = new CancellationTokenSource(Patience, time);
        try
        {
            await using var db = await store.CreateDbContextAsync(patience.Token);
            return await db.Database.CanConnectAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        finally
        {
            Volatile.Write(ref _answeredAt, time.GetTimestamp());
        }
    }
}
