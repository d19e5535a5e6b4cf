using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Hosting;
using Notify.Sending;

namespace Notify.Benchmarks.Load;

/// <summary>
/// Notify's worker with its queues, its fan-out and everything else that it has, but for a send stage whose consumer does nothing: what the bus, and the way that
/// keeps its order, leave to be had.
/// </summary>
internal static class NothingWorker
{
    /// <summary>The argument that makes this program one.</summary>
    public const string Command = "nothing-worker";

    /// <summary>Where it tells how many pushes it has done nothing about.</summary>
    public const string CountPath = "/nothing";

    private static long _count;

    public static async Task RunAsync()
    {
        await using var app = NotifyApplication.Create([], builder =>
            builder.Services.Replace(ServiceDescriptor.Singleton<IConsumerDefinition<SubscriptionSendConsumer>, NothingDefinition>()));
        app.MapGet(CountPath, () => Volatile.Read(ref _count)).AllowAnonymous();
        await app.StartAsync();
        Console.WriteLine($"Notify is ready: open {NotifyApplication.AddressOf(app)}");
        await app.WaitForShutdownAsync();
    }

    private sealed class NothingDefinition : IConsumerDefinition<SubscriptionSendConsumer>
    {
        private readonly IConsumerDefinition<SubscriptionSendConsumer> _real;

        public NothingDefinition(IOptions<SendingOptions> options) => _real = new SubscriptionSendConsumerDefinition(options);

        public IEndpointDefinition<SubscriptionSendConsumer> EndpointDefinition
        {
            set => _real.EndpointDefinition = value;
        }

        IEndpointDefinition? IConsumerDefinition.EndpointDefinition => ((IConsumerDefinition)_real).EndpointDefinition;

        public int? ConcurrentMessageLimit => _real.ConcurrentMessageLimit;

        public Type ConsumerType => _real.ConsumerType;

        public string GetEndpointName(IEndpointNameFormatter formatter) => _real.GetEndpointName(formatter);

        public void Configure(IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<SubscriptionSendConsumer> consumerConfigurator, IRegistrationContext context)
        {
            _real.Configure(endpointConfigurator, consumerConfigurator, context);
            consumerConfigurator.UseFilter(new Nothing());
        }
    }

    private sealed class Nothing : IFilter<ConsumerConsumeContext<SubscriptionSendConsumer>>
    {
        public Task Send(ConsumerConsumeContext<SubscriptionSendConsumer> context, IPipe<ConsumerConsumeContext<SubscriptionSendConsumer>> next)
        {
            Interlocked.Increment(ref _count);
            return Task.CompletedTask;
        }

        public void Probe(ProbeContext context) => context.CreateFilterScope("nothing");
    }
}
