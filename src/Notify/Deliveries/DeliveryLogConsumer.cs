using MassTransit;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify.Deliveries;

/// <summary>Writes down what became of each push, in batches and off the way of the pushes themselves; of acceptances and waits only those that <see cref="DeliveryReports"/> could not write.</summary>
internal sealed class DeliveryLogConsumer(NotifyDbContext db, SubscriptionAgeing ageing, NotifyMetrics metrics, IOptions<DeliveryLogOptions> options, TimeProvider time) :
    IConsumer<Batch<ReportedPushes>>, IConsumer<Batch<PushFailed>>, IConsumer<Batch<Fault<SendPush>>>,
    IConsumer<Batch<PushDisplayed>>, IConsumer<Batch<PushClicked>>
{
    public async Task Consume(ConsumeContext<Batch<ReportedPushes>> context)
    {
        var messages = context.Message.Select(message => message.Message).ToList();
        foreach (var rows in messages.SelectMany(message => message.Accepted.Select(Delivery.Of).Concat(message.Deferred.Select(Delivery.Of))).Chunk(DeliveryLogConsumerDefinition.BatchSize))
        {
            await WriteAsync(rows, context.CancellationToken);
        }

        if (options.Value.Enabled)
        {
            await db.WriteAttemptsAsync(DeliveryAttempt.Of(messages.SelectMany(message => message.Deferred)), context.CancellationToken);
        }
    }

    public async Task Consume(ConsumeContext<Batch<PushFailed>> context)
    {
        await WriteAsync(Rows(context, push => new Delivery
        {
            MessageId = push.MessageId,
            SubscriptionId = push.SubscriptionId,
            UserId = push.UserId,
            State = push.Reason == PushFailureReasons.SubscriptionExpired ? DeliveryState.Expired : DeliveryState.Failed,
            Attempts = push.Attempts,
            Status = push.Status,
            Reason = push.Reason,
            UpdatedAt = push.At,
        }), context.CancellationToken);
        await ageing.NoteAsync([.. context.Message.Select(failure => failure.Message)], context, context.CancellationToken);
    }

    /// <summary>A command at which the send stage threw; on RabbitMQ it is in the error queue of its lane. Nobody else would tell of it.</summary>
    public Task Consume(ConsumeContext<Batch<Fault<SendPush>>> context) =>
        WriteAsync(Rows(context, fault => new Delivery
        {
            MessageId = fault.Message.MessageId,
            SubscriptionId = fault.Message.SubscriptionId,
            UserId = fault.Message.UserId,
            State = DeliveryState.Failed,
            Reason = "internal_error: the exception is in the log of the service",
            UpdatedAt = new DateTimeOffset(DateTime.SpecifyKind(fault.Timestamp, DateTimeKind.Utc)),
        }), context.CancellationToken);

    public Task Consume(ConsumeContext<Batch<PushDisplayed>> context) => WriteAsync(
        [.. context.Message.Select(push => new Receipt { MessageId = push.Message.MessageId, SubscriptionId = push.Message.SubscriptionId, Kind = ReceiptKind.Displayed, At = push.Message.At })],
        context.CancellationToken);

    public Task Consume(ConsumeContext<Batch<PushClicked>> context) => WriteAsync(
        [.. context.Message.Select(push => new Receipt { MessageId = push.Message.MessageId, SubscriptionId = push.Message.SubscriptionId, Kind = ReceiptKind.Clicked, Action = push.Message.Action, At = push.Message.At })],
        context.CancellationToken);

    private async Task WriteAsync(IReadOnlyCollection<Delivery> deliveries, CancellationToken cancellationToken)
    {
        await db.WriteOutcomesAsync(options.Value.Enabled ? deliveries : [], deliveries, cancellationToken);
        if (options.Value.Enabled)
        {
            metrics.Written(time.GetUtcNow() - deliveries.Min(delivery => delivery.UpdatedAt));
        }
    }

    private Task WriteAsync(IReadOnlyCollection<Receipt> receipts, CancellationToken cancellationToken) =>
        options.Value.Enabled ? db.WriteReceiptsAsync(receipts, cancellationToken) : Task.CompletedTask;

    private static List<TRow> Rows<T, TRow>(ConsumeContext<Batch<T>> context, Func<T, TRow> row)
        where T : class => [.. context.Message.Select(message => row(message.Message))];
}

/// <summary>Queue <c>delivery-log</c>.</summary>
internal sealed class DeliveryLogConsumerDefinition : ConsumerDefinition<DeliveryLogConsumer>
{
    /// <summary>Rows written at once.</summary>
    internal const int BatchSize = 500;

    public DeliveryLogConsumerDefinition() => EndpointName = Queues.DeliveryLog;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<DeliveryLogConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.PrefetchCount = BatchSize * 2;
        endpointConfigurator.ConcurrentMessageLimit = BatchSize * 2;
        endpointConfigurator.RetryInPlace();
        consumerConfigurator.Options<BatchOptions>(batch => batch
            .SetMessageLimit(BatchSize)
            .SetTimeLimit(TimeSpan.FromMilliseconds(200))
            .SetConcurrencyLimit(1));
    }
}
