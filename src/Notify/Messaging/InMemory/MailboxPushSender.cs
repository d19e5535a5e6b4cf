using System.Diagnostics;
using MassTransit;
using MassTransit.Events;
using MassTransit.InMemoryTransport;
using MassTransit.InMemoryTransport.Configuration;
using MassTransit.Metadata;
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

    private static readonly Uri Address = new($"queue:{Queues.SubscriptionSend}");

    private readonly IServiceProvider _services;
    private readonly ILogger _logger;
    private readonly Mailboxes<Mailed> _mailboxes;
    private readonly CancellationTokenSource _givenUp = new();
    private SendStage? _stage;

    /// <summary>Empty mailboxes.</summary>
    public MailboxPushSender(IServiceProvider services, IOptions<SendingOptions> options, ILogger<MailboxPushSender> logger)
    {
        (_services, _logger) = (services, logger);
        _mailboxes = new Mailboxes<Mailed>(PlacesForEach * options.Value.Concurrency, HandleAsync);
    }

    /// <summary>Commands in mailboxes that are not handled yet.</summary>
    public int Waiting => _mailboxes.Waiting;

    // They need each other.
    private SendStage Stage => _stage ??= _services.GetRequiredService<SendStage>();

    private IBus Bus => _services.GetRequiredService<IBus>();

    private IMessageExchange<InMemoryTransportMessage> Acceptances => field ??= ExchangeOf<PushAccepted>(_services.GetRequiredService<IBusInstance>());

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

    /// <summary>Ends what is under way, while the bus can still be told of it.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _mailboxes.EndAsync().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _givenUp.CancelAsync();
    }

    public void Dispose() => _givenUp.Dispose();

    private static IMessageExchange<InMemoryTransportMessage> ExchangeOf<T>(IBusInstance bus)
        where T : class
    {
        var transport = ((IInMemoryHostConfiguration)bus.HostConfiguration).TransportProvider;
        return transport.MessageFabric.GetExchange(transport, bus.Bus.Topology.Message<T>().EntityName);
    }

    private async Task HandleAsync(Mailed push)
    {
        using var trace = NotifyTracing.Resume(push.TraceParent, "process", ActivityKind.Consumer);
        try
        {
            await Stage.HandleAsync(push);
        }
        catch (Exception exception)
        {
            await HandleAgainAsync(push, exception);
        }
    }

    // As MassTransit does with a message, whose retries and fault these are; it logs to whatever is set here.
    private async Task HandleAgainAsync(Mailed push, Exception? failure)
    {
        try
        {
            LogContext.ConfigureCurrentLogContextIfNull(_services);
            await Retries.RetryTheStoreAsync(
                () => Interlocked.Exchange(ref failure, null) is { } first ? Task.FromException(first) : Stage.HandleAsync(push), push.CancellationToken);
        }
        catch (OperationCanceledException) when (push.CancellationToken.IsCancellationRequested)
        {
            // It ends with the process, as what waits in mailboxes does.
        }
        catch (Exception exception)
        {
            LogFailed(exception, push.Push.MessageId, push.Push.SubscriptionId);
            await TellAsync(push.Push, exception);
        }
    }

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

    [LoggerMessage(LogLevel.Error, "The push of message {MessageId} to subscription {SubscriptionId} failed in the send stage, and is given up")]
    private partial void LogFailed(Exception exception, Guid messageId, Guid subscriptionId);

    [LoggerMessage(LogLevel.Warning, "The bus could not be told that the push of message {MessageId} to subscription {SubscriptionId} failed")]
    private partial void LogUntold(Exception exception, Guid messageId, Guid subscriptionId);

    private sealed class Mailed(MailboxPushSender sender, SendPush push, int? attemptsInLine, string? traceParent) : PushInHand
    {
        public string? TraceParent => traceParent;

        public override SendPush Push => push;

        public override int? AttemptsInLine => attemptsInLine;

        public override bool IsRedelivered => false;

        public override CancellationToken CancellationToken { get; } = sender._givenUp.Token;

        public override Task PublishAsync<T>(T message) => sender.Bus.Publish(message, CancellationToken);

        // Only who is in this process can listen, and the bus knows them.
        public override Task PublishAcceptanceAsync(PushAccepted accepted) => sender.Acceptances.Sinks.Any() ? PublishAsync(accepted) : Task.CompletedTask;

        public override Task RedeliverAsync(int attempts, TimeSpan delay) => sender.SendLaterAsync(push, attempts, delay, CancellationToken);

        // Nobody could replay it.
        public override Task KeepInErrorQueueAsync(string reason) => Task.CompletedTask;
    }
}
