namespace Notify.Deliveries;

/// <summary>Registers the delivery log.</summary>
internal static class DeliveriesSetup
{
    public static IServiceCollection AddNotifyDeliveries(this IServiceCollection services) => services.AddSingleton<DeliveryReports>().AddSingleton<ReceiptTokens>();
}
