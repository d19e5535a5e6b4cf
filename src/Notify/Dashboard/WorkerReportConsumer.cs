using MassTransit;

namespace Notify.Dashboard;

/// <summary>Hears how each worker does.</summary>
public sealed class WorkerReportConsumer(Workers workers) : IConsumer<WorkerReport>
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<WorkerReport> context)
    {
        workers.Note(context.Message);
        return Task.CompletedTask;
    }
}

/// <summary>Queue <c>worker-report</c>, of which every worker has its own.</summary>
public sealed class WorkerReportConsumerDefinition : ConsumerDefinition<WorkerReportConsumer>
{
    /// <summary>Names the queue.</summary>
    public WorkerReportConsumerDefinition() => EndpointName = Messaging.Queues.WorkerReport;
}
