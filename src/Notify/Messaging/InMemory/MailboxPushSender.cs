using System.Diagnostics;
using MassTransit;
using Notify.Contracts;
using Notify.Telemetry;

namespace Notify.Messaging.InMemory;

/// <summary>
/// On the in-memory bus: of a subscription one command at a time is on its way to the send stage, and the others wait here, in the order in which they were sent.
/// </summary>
/// <remarks>
/// An endpoint that handles many messages at once starts them in no particular order, and a partitioner inside it comes too late. On the in-memory bus
/// the order is known where the command is sent, since sender and queue share the process, and waiting here is as safe as waiting in the queue. It
/// also keeps a slow subscription from filling the send stage with commands that can do nothing but wait.
/// </remarks>
internal sealed class MailboxPushSender(IServiceProvider services) : PushSender
{
    // Says which command was on its way; a redelivered copy carries it too, but by then it means nothing.
    private const string NumberHeader = "Notify-Number";

    private static readonly Uri Address = new($"queue:{Queues.SubscriptionSend}");

    private readonly Dictionary<Guid, Mailbox> _mailboxes = [];
    private readonly Lock _lock = new();
    private long _lastNumber;
    private int _waiting;

    /// <summary>Commands that wait for an earlier one of their subscription.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    public override Task SendAsync(SendPush push, int? attemptsInLine, CancellationToken cancellationToken)
    {
        long number;
        lock (_lock)
        {
            if (_mailboxes.TryGetValue(push.SubscriptionId, out var mailbox))
            {
                _waiting++;
                mailbox.Waiting.Enqueue(new Held(push, attemptsInLine, Activity.Current?.Id));
                return Task.CompletedTask;
            }

            number = ++_lastNumber;
            _mailboxes.Add(push.SubscriptionId, new Mailbox { OnItsWay = number });
        }

        return SendAsync(push, attemptsInLine, context => context.Headers.Set(NumberHeader, number));
    }

    public override Task SendLaterAsync(SendPush push, int attempts, TimeSpan delay, CancellationToken cancellationToken) => SendAsync(push, attempts, context => context.Delay = delay);

    /// <summary>Says that a received command is done with, well or badly; the next of its subscription goes on its way.</summary>
    public async Task EndAsync(ConsumeContext<SendPush> context)
    {
        Held? next;
        long number;
        lock (_lock)
        {
            if (!_mailboxes.TryGetValue(context.Message.SubscriptionId, out var mailbox) || mailbox.OnItsWay != context.Headers.Get<long>(NumberHeader))
            {
                return;
            }

            if (!mailbox.Waiting.TryDequeue(out next))
            {
                _mailboxes.Remove(context.Message.SubscriptionId);
                return;
            }

            _waiting--;
            number = mailbox.OnItsWay = ++_lastNumber;
        }

        using var trace = NotifyTracing.Resume(next.TraceParent);
        await SendAsync(next.Push, next.AttemptsInLine, send => send.Headers.Set(NumberHeader, number));
    }

    private async Task SendAsync(SendPush push, int? attemptsInLine, Action<SendContext> configure)
    {
        // Not through a consume context: what is sent may belong to another message than the one that is being handled.
        var endpoint = await services.GetRequiredService<IBus>().GetSendEndpoint(Address);
        await endpoint.Send(push, context =>
        {
            if (attemptsInLine is { } attempts)
            {
                context.Headers.Set(AttemptsHeader, attempts);
            }

            configure(context);
        });
    }

    private sealed class Mailbox
    {
        public long OnItsWay { get; set; }

        public Queue<Held> Waiting { get; } = [];
    }

    private sealed record Held(SendPush Push, int? AttemptsInLine, string? TraceParent);
}
