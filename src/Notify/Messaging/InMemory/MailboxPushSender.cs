using System.Diagnostics;
using MassTransit;
using MassTransit.Events;
using MassTransit.InMemoryTransport;
using MassTransit.InMemoryTransport.Configuration;
using MassTransit.Metadata;
using MassTransit.Middleware;
using MassTransit.Transports;
using MassTransit.Transports.Fabric;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Sending;
using Notify.Telemetry;

namespace Notify.Messaging.InMemory;

/// <summary>
/// On the in-memory bus: puts commands into the mailboxes of their subscriptions, and brings them from there to the <see cref="SendStage"/>. The bus carries only those that it holds
/// back (<see cref="MailboxConsumer"/>).
/// </summary>
/// <remarks>
/// An endpoint that handles many messages at once starts them in no particular order. Where a command is sent the order is known, and since sender and send stage share a process it
/// need not become a message: that is made, copied and read again for each push, and lives no longer than the process either.
/// </remarks>
internal sealed partial class MailboxPushSender : PushSender, IHostedService, IDisposable
{
    // Places in the send stage for each at a push service: most of a push's time it waits for the store, and those that wait for a push service must leave others a way past it.
    private const int PlacesForEach = 8;

    private static readonly TimeSpan ForUnwinding = TimeSpan.FromSeconds(1);

    private static readonly Uri Address = new($"queue:{Queues.SubscriptionSend}");

    private readonly IServiceProvider _services;
    private readonly ILogger _logger;
    private readonly Mailboxes<Mailed> _mailboxes;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _givenUp = new();
    private readonly CancellationToken _stopBegun;
    private readonly CancellationToken _giveUp;
    private readonly IPipe<Failing> _retries;
    private SendStage? _stage;

    /// <summary>Empty mailboxes.</summary>
    public MailboxPushSender(IServiceProvider services, IOptions<SendingOptions> options, ILogger<MailboxPushSender> logger)
    {
        (_services, _logger) = (services, logger);
        (_stopBegun, _giveUp) = (_stopping.Token, _givenUp.Token);
        _mailboxes = new Mailboxes<Mailed>(PlacesForEach * options.Value.Concurrency, HandleAsync);
        _retries = Pipe.New<Failing>(pipe =>
        {
            pipe.RetryTheStore();
            pipe.UseExecuteAsync(failing => failing.TryAsync());
        });
    }

    /// <summary>Commands in mailboxes that are not begun.</summary>
    public int Waiting => _mailboxes.Waiting;

    // They need each other.
    private SendStage Stage => _stage ??= _services.GetRequiredService<SendStage>();

    private IBus Bus => _services.GetRequiredService<IBus>();

    private IMessageExchange<InMemoryTransportMessage> Acceptances => field ??= ExchangeOf<PushAccepted>(_services.GetRequiredService<IBusInstance>());

    private IMessageExchange<InMemoryTransportMessage> Waits => field ??= ExchangeOf<PushDeferred>(_services.GetRequiredService<IBusInstance>());

    public override Task SendAsync(SendPush push, int? attemptsInLine, CancellationToken cancellationToken)
    {
        _mailboxes.Put(push.SubscriptionId, new Mailed(this, push, attemptsInLine, Activity.Current?.Id));
        return Task.CompletedTask;
    }

    public override async Task SendLaterAsync(SendPush push, int attempts, TimeSpan delay, CancellationToken cancellationToken)
    {
        var endpoint = await Bus.GetSendEndpoint(Address);
        await endpoint.Send(push, context =>
        {
            context.Headers.Set(AttemptsHeader, attempts);
            context.Delay = delay;
        }, cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Ends what is under way, before the bus ends. What waits for its next try is given up at once, everything else when the time for it is over.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // A test harness stops it once more when all is over.
        if (_stopBegun.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        var end = _mailboxes.EndAsync();
        await end.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _givenUp.CancelAsync();
        await end.WaitAsync(ForUnwinding, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Waiting > 0)
        {
            LogLost(Waiting);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _givenUp.Dispose();
    }

    private static IMessageExchange<InMemoryTransportMessage> ExchangeOf<T>(IBusInstance bus)
        where T : class
    {
        var transport = ((IInMemoryHostConfiguration)bus.HostConfiguration).TransportProvider;
        return transport.MessageFabric.GetExchange(transport, bus.Bus.Topology.Message<T>().EntityName);
    }

    private async Task HandleAsync(Mailed push)
    {
        using var trace = NotifyTracing.Resume(push.TraceParent, "process", ActivityKind.Consumer);
        NotifyTracing.Name(push.Push.MessageId);
        try
        {
            await Stage.HandleAsync(push);
        }
        catch (Exception exception)
        {
            await HandleAgainAsync(push, exception);
        }
    }

    private async Task HandleAgainAsync(Mailed push, Exception failure)
    {
        try
        {
            await _retries.Send(new Failing(this, push, failure));
        }
        catch (Exception) when (_stopBegun.IsCancellationRequested)
        {
            // It ends with the process, as what waits in mailboxes does.
        }
        catch (Exception exception)
        {
            Activity.Current?.SetStatus(ActivityStatusCode.Error, exception.GetType().Name);
            LogFailed(exception, push.Push.MessageId, push.Push.SubscriptionId);
            await TellAsync(push.Push, exception);
        }
    }

    // As MassTransit does of a message.
    private async Task TellAsync(SendPush push, Exception exception)
    {
        try
        {
            await Bus.Publish<Fault<SendPush>>(new FaultEvent<SendPush>(push, null, HostMetadataCache.Host, exception, MessageTypeCache<SendPush>.MessageTypeNames));
        }
        catch (Exception untold)
        {
            LogUntold(untold, push.MessageId, push.SubscriptionId);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A try of the push of message {MessageId} to subscription {SubscriptionId} failed")]
    private partial void LogFailing(Exception exception, Guid messageId, Guid subscriptionId);

    [LoggerMessage(LogLevel.Error, "The push of message {MessageId} to subscription {SubscriptionId} failed in the send stage, and is given up")]
    private partial void LogFailed(Exception exception, Guid messageId, Guid subscriptionId);

    [LoggerMessage(LogLevel.Warning, "The bus could not be told that the push of message {MessageId} to subscription {SubscriptionId} failed")]
    private partial void LogUntold(Exception exception, Guid messageId, Guid subscriptionId);

    [LoggerMessage(LogLevel.Warning, "{Count} pushes that waited in mailboxes end with the process")]
    private partial void LogLost(int count);

    // A push whose first try has failed; the first of the tries here is that one.
    private sealed class Failing(MailboxPushSender sender, Mailed push, Exception failure) : BasePipeContext(sender._stopBegun)
    {
        private Exception? _failure = failure;

        public async Task TryAsync()
        {
            try
            {
                await (Interlocked.Exchange(ref _failure, null) is { } first ? Task.FromException(first) : sender.Stage.HandleAsync(push));
            }
            catch (Exception exception)
            {
                sender.LogFailing(exception, push.Push.MessageId, push.Push.SubscriptionId);
                throw;
            }
        }
    }

    private sealed class Mailed(MailboxPushSender sender, SendPush push, int? attemptsInLine, string? traceParent) : PushInHand
    {
        public string? TraceParent => traceParent;

        public override SendPush Push => push;

        public override int? AttemptsInLine => attemptsInLine;

        public override bool IsRedelivered => false;

        public override CancellationToken CancellationToken { get; } = sender._giveUp;

        // There is no other, and at the end of the process the store alone keeps it.
        public override CancellationToken IsNotOurs => CancellationToken.None;

        public override Task PublishAsync<T>(T message) => sender.Bus.Publish(message, CancellationToken);

        // Only who is in this process can listen, and the bus knows them.
        public override Task PublishIfHeardAsync(PushAccepted accepted) => sender.Acceptances.Sinks.Any() ? PublishAsync(accepted) : Task.CompletedTask;

        public override Task PublishIfHeardAsync(PushDeferred deferred) => sender.Waits.Sinks.Any() ? PublishAsync(deferred) : Task.CompletedTask;

        public override Task KeepUntilAsync(Task told) => told.WaitAsync(CancellationToken);

        public override Task RedeliverAsync(int attempts, TimeSpan delay) => sender.SendLaterAsync(push, attempts, delay, CancellationToken);

        // Nobody could replay it.
        public override Task KeepInErrorQueueAsync(string reason) => Task.CompletedTask;
    }
}
