using MassTransit;

namespace Notify.Dashboard;

/// <summary>Hears how each worker does.</summary>
internal sealed class WorkerReportConsumer(Workers workers) : IConsumer<WorkerReport>
{
    public Task Consume(ConsumeContext<WorkerReport> context)
    {
        workers.Note(context.Message);
        return Task.CompletedTask;
    }
}

/// <summary>Queue <c>worker-report</c>, of which every worker has its own.</summary>
internal sealed class WorkerReportConsumerDefinition : ConsumerDefinition<WorkerReportConsumer>
{
    public WorkerReportConsumerDefinition() => EndpointName = Messaging.Queues.WorkerReport;
}
